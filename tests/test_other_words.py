"""The same program in other words is measured once; what may do something else is not the same."""

import sqlite3
import sys
from pathlib import Path

import pytest
import toy as toys
from toy import TRAIN, Toy

from lab.leaf import behaviour_id

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

from bench_noop import variations

LOCALS = TRAIN.replace(
    '    print("trained")\n',
    "    total = scaled([1, 2])\n    report(total, sep='', end='!')\n    print('trained')\n",
).replace(
    "def main():\n",
    "def scaled(values):\n    made = [value * 2 for value in values]\n    return sum(made)\n\n\n"
    "def report(total, sep, end):\n    told = f'{total}{sep}{end}'\n    print(told)\n\n\n"
    "def squared(number):\n    out = number * number\n    return out\n\n\n"
    "def main():\n    squared(2)\n",
)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Toy, Path]:
    """A campaign of a leaf with some functions, its baseline measured."""
    toy = toys.make(tmp_path_factory.mktemp("words"))
    toy.leaf(train=LOCALS)
    toy.commit("with functions")
    toy.lab("run", "--baseline", cwd=toy.root / "toy")
    return toy, toy.campaign()


def test_ten_changes_that_change_nothing_are_refused(measured: tuple[Toy, Path]) -> None:
    toy, where = measured
    told = []
    for number, text in enumerate(variations(LOCALS)):
        (where / "train.py").write_text(text)
        idea = toy.idea(f"change nothing, {number}", cwd=where)
        told.append(toy.here("run", idea, cwd=where, code=4).err.splitlines())
    said, typed = {tuple(lines) for lines in told}.pop()
    assert {tuple(lines) for lines in told} == {(said, typed)}
    assert "e1 ran the very same program in other words (keep): loss 3.9" in said
    assert typed == "Look at it: lab show e1; or run it anyway: --again"


def test_an_old_notebook_knows_its_incumbent_by_git(tmp_path: Path) -> None:
    toy = toys.make(tmp_path)
    toy.lab("run", "--baseline", cwd=toy.root / "toy")
    where = toy.campaign()
    with sqlite3.connect(toy.root / ".lab" / "notebook.db") as book:
        book.execute("drop trigger experiments_behaviour_kept")
        book.execute("update experiments set behaviour = null")
    (where / "train.py").write_text(TRAIN + "\n\nIDLE = 3\n")
    refused = toy.here("run", toy.idea(cwd=where), cwd=where, code=4)
    assert "e1 ran the very same program in other words" in refused.err


def test_what_lost_is_found_in_other_words_and_again_runs_it(tmp_path: Path) -> None:
    toy = toys.make(tmp_path)
    toy.lab("run", "--baseline", cwd=toy.root / "toy")
    where = toy.campaign()
    toys.slope(where, 0.5)
    toy.lab("run", toy.idea(cwd=where), cwd=where)
    toy.here("result", "e2", "-v", "discard", cwd=where)
    toys.slope(where, 0.5)
    file = where / "train.py"
    file.write_text(file.read_text().replace("log", "steps_log"))
    idea = toy.idea("the same with another name", cwd=where)
    refused = toy.here("run", idea, cwd=where, code=4)
    assert "e2 ran the very same program in other words (discard): loss 6.2" in refused.err
    assert "gain -2.2" in refused.err
    assert toy.lab("run", idea, "--again", "--json", cwd=where).json["experiment"] == "e3"


F = "def f(x):\n    {}\nf(1)\n"
SAME = {
    "locals": (F.format("a = x; return a"), F.format("b = x; return b")),
    "a name in two functions": (
        "def f():\n a = 1\n return a\ndef g():\n a = 2\n return a\nf(), g()",
        "def f():\n a = 1\n return a\ndef g():\n b = 2\n return b\nf(), g()",
    ),
    "a comprehension's": ("print([a for a in range(3)])", "print([b for b in range(3)])"),
    "an error's": (
        F.format("try: pass\n    except OSError as e: print(e)"),
        F.format("try: pass\n    except OSError as error: print(error)"),
    ),
    "a closure's": (
        F.format("a = 1\n    def g():\n        nonlocal a\n        a += 1\n    return g"),
        F.format("n = 1\n    def g():\n        nonlocal n\n        n += 1\n    return g"),
    ),
    "numbers": ("LR = 1e-3\nN = 1_000\nprint(LR, N)", "LR = 0.001\nN = 1000\nprint(LR, N)"),
    "quotes": ("print('a', u'b')", 'print("a", "b")'),
    "an unused constant": ("print(1)", "LR = 0.1\nNAMES = ('a', -1)\nprint(1)"),
    "an idle function": ("print(1)", "N = 2\ndef _idle(x: int = 1):\n    return N\nprint(1)"),
    "imports": (
        "import sys\nimport os\nprint(os, sys)",
        "import os, sys\nimport json as j\nfrom math import pi\nimport os\nprint(os, sys)",
    ),
    "keywords": (
        "def f(a, b): return a\nf(a=1, b=2)\nprint(1, sep='', end='')",
        "def f(a, b): return a\nf(b=2, a=1)\nprint(1, end='', sep='')",
    ),
    "torch's keywords": (
        "from torch import nn\nnn.Linear(1, 2, bias=False, dtype=None)",
        "from torch import nn\nnn.Linear(1, 2, dtype=None, bias=False)",
    ),
}


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME)
def test_other_words_for_the_same(one: str, other: str) -> None:
    assert _id(one) == _id(other)


OTHER = {
    "a global": ("A = 1\ndef f(): return A\nf()", "B = 1\ndef f(): return B\nf()"),
    "a global's reader": (
        F.format("a = [x for x in 'ab']; return x").replace("f(x)", "f()"),
        F.format("a = [z for z in 'ab']; return z").replace("f(x)", "f()"),
    ),
    "which of two": (
        F.format("a = 1; b = 2; return a - b"),
        F.format("a = 1; b = 2; return b - a"),
    ),
    "a shadow": (
        F.format("a = 1\n    def g(a): return a\n    return g(a)"),
        F.format("a = 1\n    def g(b): return a\n    return g(a)"),
    ),
    "a walrus": (
        F.format("z = 0; [y := i for i in 'ab']; return y"),
        F.format("z = 0; [y := i for i in 'ab']; return z"),
    ),
    "a parameter": ("def f(a): return a\nf(a=1)", "def f(b): return b\nf(a=1)"),
    "a lambda's": ("f = lambda a: a\nf(a=1)", "f = lambda b: b\nf(a=1)"),
    "told by f''": (F.format("a = x; print(f'{a=}')"), F.format("b = x; print(f'{b=}')")),
    "told by locals": (F.format("a = x; print(locals())"), F.format("b = x; print(locals())")),
    "told by eval": (F.format("a = x; return eval('a')"), F.format("b = x; return eval('a')")),
    "told by a frame": (
        "import pandas\n" + F.format("a = x; return pandas.eval('a')"),
        "import pandas\n" + F.format("b = x; return pandas.eval('a')"),
    ),
    "a class's": ("class A:\n    a = 1\nprint(A.a)", "class A:\n    b = 1\nprint(A.a)"),
    "a class in a function": (
        F.format("a = 2\n    class A:\n        a = a\n    return A.a"),
        F.format("b = 2\n    class A:\n        a = b\n    return A.a"),
    ),
    "a function's": (
        F.format("def g(): pass\n    return g.__name__"),
        F.format("def h(): pass\n    return h.__name__"),
    ),
    "del": ("A = 1\ndef f(): return 1\ndel A\nf()", "def f(): return 1\nf()"),
    "global": (
        F.format("global a; a = x") + "print(a)",
        F.format("global b; b = x") + "print(a)",
    ),
    "order that is seen": ("print(dict(a=1, b=2))", "print(dict(b=2, a=1))"),
    "order of what happens": (
        "def f(a, b): return a\nf(a=input(), b=print())",
        "def f(a, b): return a\nf(b=print(), a=input())",
    ),
    "order that **words see": (
        "def f(**words): print(words)\nf(a=1, b=2)",
        "def f(**words): print(words)\nf(b=2, a=1)",
    ),
    "a shadowed builtin": (
        "from x import print\nprint(end=1, sep=2)",
        "from x import print\nprint(sep=2, end=1)",
    ),
    "a constant read by text": ("print(globals()['LR'])", "LR = 1\nprint(globals()['LR'])"),
    "a constant read by getattr": (
        "import sys\nprint(getattr(sys.modules[__name__], 'L' 'R'))",
        "import sys\nLR = 1\nprint(getattr(sys.modules[__name__], 'L' 'R'))",
    ),
    "a constant set twice": ("A = 1\nprint(A)", "A = 1\nA = 2\nprint(A)"),
    "what an import does": ("print(1)", "import torch\nprint(1)"),
    "an import that fails": ("print(1)", "from math import nothing\nprint(1)"),
    "an idle function that fails": ("print(1)", "def f(x: Missing): return x\nprint(1)"),
    "an idle function that is no Python": ("print(1)", "def f():\n    nonlocal x\nprint(1)"),
    "a decorated function": ("def d(f): print(f)\n", "def d(f): print(f)\n@d\ndef g(): pass\n"),
    "numbers": ("print(1000)", "print(1000.0)"),
    "which import": (
        "import time\nfrom time import time\nprint(time)",
        "from time import time\nimport time\nprint(time)",
    ),
}


@pytest.mark.parametrize(("one", "other"), OTHER.values(), ids=OTHER)
def test_what_may_do_something_else(one: str, other: str) -> None:
    assert _id(one) != _id(other)


READERS = {
    "imported": "from train import LR\n",
    "by a dot": "import train\nprint(train.LR)\n",
    "by getattr": "import train\nprint(getattr(train, 'LR'))\n",
    "by a name that is a text": "import train, sys\nprint(getattr(train, sys.argv[1]))\n",
    "by all names": "import train\nprint(vars(train))\n",
    "by its file": "import runpy\nprint(runpy.run_path('train.py')['LR'])\n",
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_a_constant_that_another_file_reads_is_not_unused(reader: str) -> None:
    texts = (b"print(1)\n", b"LR = 2\nprint(1)\n")
    one, other = (
        behaviour_id({"toy/train.py": text}, lambda: {"toy/evaluate.py": reader.encode()})
        for text in texts
    )
    assert one != other
    assert len({behaviour_id({"toy/train.py": text}) for text in texts}) == 1


def _id(text: str) -> str:
    compile(text, "train.py", "exec", dont_inherit=True) if "nonlocal x" not in text else None
    return behaviour_id({"train.py": text.encode()})
