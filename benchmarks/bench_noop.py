"""Ten changes that change nothing, through the real loop: nothing of them may be claimed.

    python benchmarks/bench_noop.py --leaf pretrain --profile cpu

Works in a clone of this repository. Each variation is written into the mutable file, run, and its
verdict recorded as suggested; what was kept is audited at the end.
"""

import argparse
import ast
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import toy as toys  # noqa: E402 (the tests' repository, reused)

REFUSED = 4  # exit code
MOST_RUNS = 6  # of one variation, the incumbent's among them; the policy stops before


def variations(source: str) -> list[str]:
    """Return ten versions of a script that do exactly what it does, each another program.

    Comments, blank lines and docstrings are refused before anything runs, and so are those that can
    be seen to do the same.
    """
    unused = [f"{source.rstrip()}\n\nUNUSED_{number} = {number}\n" for number in range(4)]
    twice = source.replace("\nimport ", "\nimport sys as another_name\nimport ", 1)
    idle = f"{source.rstrip()}\n\n\ndef nobody():\n    return None\n"
    return [*unused, twice, idle, *(renamed(source, nth) for nth in range(4))]


def renamed(source: str, nth: int) -> str:
    """Return the script with a local variable of the nth function that has one renamed."""
    for function in (n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef)):
        names = [node for node in ast.walk(function) if isinstance(node, ast.Name)]
        arguments = {one.arg for one in ast.walk(function) if isinstance(one, ast.arg)}
        stored = [n.id for n in names if isinstance(n.ctx, ast.Store) and n.id not in arguments]
        scopes = (ast.FunctionDef, ast.Lambda, ast.Global, ast.Nonlocal)
        if not stored or any(
            isinstance(n, scopes) for n in ast.walk(function) if n is not function
        ):
            continue
        if nth:
            nth -= 1
            continue
        lines = source.splitlines(keepends=True)
        hits = sorted((n.lineno, n.col_offset) for n in names if n.id == stored[0])
        for line, column in reversed(hits):
            data = lines[line - 1].encode()
            end = column + len(stored[0].encode())
            lines[line - 1] = (data[:end] + b"_again" + data[end:]).decode()
        return "".join(lines)
    raise SystemExit("too few functions have a local variable to rename")


def settle(toy: toys.Toy, where: Path, name: str, found: dict) -> dict:
    """Give an experiment the runs that are asked for until a verdict is suggested."""
    for _ in range(MOST_RUNS):
        if found["suggest"] != "replicate":
            break
        words = found["next"].split()[1:]
        toy.lab(*words, cwd=where)
        found = toy.lab("wait", name, "--json", cwd=where).json
    return found


def main() -> None:
    """Drive the variations and print what became of each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--leaf", default="pretrain")
    parser.add_argument("--profile", default="cpu")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        toy = toys.Toy(Path(folder) / "clone", env={"LAB_PROFILE": args.profile}, patience_s=900)
        toy.root.parent.mkdir(exist_ok=True)
        toys.subprocess.run(["git", "clone", "-q", str(ROOT), str(toy.root)], check=True)
        toy.lab("run", "--baseline", "--seeds", "3", "--leaf", args.leaf)
        where = toy.campaign("noop", args.leaf)
        script = where / "train.py"
        kept, runs, refused = 0, 0, 0
        for number, text in enumerate(variations(script.read_text())):
            idea = toy.idea(f"change nothing, {number}", cwd=where)
            script.write_text(text)
            answer = toy.lab("run", idea, "--json", cwd=where, code=None)
            if answer.code == REFUSED:
                print(f"refused: {answer.err.splitlines()[0]}", flush=True)
                refused += 1
                continue
            found = answer.json
            found = settle(toy, where, found["experiment"], found)
            kept += found["suggest"] == "keep"
            runs += len(found["runs"])
            print(
                f"{found['experiment']} {found['suggest']} ({found['reason']}) after "
                f"{len(found['runs'])} runs: {found['why']}",
                flush=True,
            )
            verdict = "keep" if found["suggest"] == "keep" else "discard"
            toy.lab("result", found["experiment"], "-v", verdict, cwd=where)
        print(f"{number + 1} changes of nothing: {refused} refused, {kept} kept, {runs} runs")
        if kept:
            print(toy.lab("audit", cwd=where, code=None).out)
        print(f"claimed: {toy.lab('board', args.leaf, '--json').json['confirmed_gain']}")
        toy.lab("stop", "--all", code=None)


if __name__ == "__main__":
    main()
