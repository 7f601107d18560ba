"""What compilers and other interpreters than Python say of an error: its words, and its place."""

import re

from .tracebacks import Trace, without_noise

FILE = r"^(?P<file>[^\s:()][^:()\n]*?)"
CODE = r"(?P<words>(?:fatal )?error\b[^\n]+)$"
# Of a compiler the first error counts, the others may follow from it.
COMPILERS = (
    rf"{FILE}:(?P<line>\d+)(?::\d+)?: {CODE}",  # gcc, clang, javac
    rf"{FILE}\((?P<line>\d+)(?:,\d+)?\): {CODE}",  # nvcc, tsc
    r"^(?P<words>error(?:\[\w+\])?: [^\n]+)\n\s*--> (?P<file>[^\n]+?):(?P<line>\d+):\d+$",  # rustc
    r"^(?P<file>\S+\.go):(?P<line>\d+):\d+: (?P<words>.+)$",
    rf"{FILE}:(?P<line>\d+):\d+:\n\n(?:.*\n){{1,3}}(?P<words>(?:Fatal )?Error: .+)$",  # gfortran
    r"^.*?(?P<words>undefined reference to .+)$",  # a linker
)
# Of a program that went on until it could not, the last.
PROGRAMS = (
    r"^(?P<file>\S+\.[cm]?[jt]s):(?P<line>\d+)\n.*\n\s*\^+\n\n?(?P<words>.+)$",  # node
    r"^(?P<file>\S*\.\w+|sh|bash): (?:line )?(?P<line>\d+): (?P<words>.+)$",
    r"^(?P<file>\S+\.rb):(?P<line>\d+):in .*?: (?P<words>.+)$",
    r"^(?P<words>.+) at (?P<file>\S+\.p[lm]) line (?P<line>\d+)\.$",
)
TAIL = 30  # lines: whoever said so earlier went on, and ended for another reason
WRAPPED = re.compile(r"(?:[\w.]+\.)?CalledProcessError: |RuntimeError: Error building extension")
CLOSING = re.compile(r"(?:g?make(?:\[\d+\])?: \*\*\*|ninja: build stopped|Node\.js v\d)")


def find(log: str) -> Trace | None:
    """Return what a log says is wrong, as a traceback's last words and place; None without any.

    >>> find("cc -o a a.c\\na.c:3:9: error: expected ';'\\nmake: *** [a] Error 1\\n")
    Trace(exceptions=("error: expected ';'",), frames=(('a.c', 3),))
    """
    text = without_noise(log)
    found = [match for one in COMPILERS if (match := re.search(one, text, re.MULTILINE))]
    if found:
        return _trace(min(found, key=re.Match.start))
    end = "".join(text.splitlines(keepends=True)[-TAIL:])
    lasts = [match for one in PROGRAMS for match in re.finditer(one, end, re.MULTILINE)]
    return _trace(max(lasts, key=re.Match.start)) if lasts else None


def _trace(found: re.Match[str]) -> Trace:
    said = found.groupdict()
    frames = ((said["file"], int(said["line"])),) if said.get("file") else ()
    return Trace((said["words"].strip(),), frames)


def wraps(trace: Trace) -> bool:
    """Return whether an exception only says that another program failed."""
    return bool(trace.exceptions) and bool(WRAPPED.match(trace.exceptions[0]))


def last_line(log: str) -> str:
    """Return a log's last line that is no mere echo of an error above it.

    >>> last_line("no such table\\nmake: *** [run] Error 1\\n")
    'no such table'
    """
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    own = [line for line in lines if not CLOSING.match(line)]
    return (own or lines or [""])[-1]
