"""A scripted coding agent: reads its brief, then does whole experiments with `lab` alone.

    python researcher.py EXPERIMENTS < brief      or      python researcher.py EXPERIMENTS FILE

It knows nothing but its brief and what `lab` prints. Each value of SLOPE is nearer to the truth
than the incumbent's, so that a keep is due each time; what is worse it discards.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

TRAIN = Path("train.py")


def lab(*words: str) -> "subprocess.CompletedProcess[str]":
    """Type `lab WORDS`."""
    return subprocess.run(["lab", *words], capture_output=True, text=True)


def finished(*words: str) -> dict[str, Any]:
    """Type a command that runs something, and wait as long as it takes."""
    done = lab(*words, "--json")
    while done.returncode == 5:
        done = lab("wait", json.loads(done.stdout)["experiment"], "--json")
    assert done.returncode in (0, 1), (words, done)
    return dict(json.loads(done.stdout))


def baseline() -> None:
    """Measure what is committed, where the context says that nobody has."""
    context = json.loads(lab("context", "--json").stdout)
    if context["incumbent"] is None:
        finished("run", "--baseline", "--seeds", "3")


def experiment() -> str:
    """Do one experiment from the idea to the verdict; return what `lab result` said."""
    text = TRAIN.read_text()
    old = float(re.search(r"^SLOPE = ([\d.]+)", text, re.M)[1])  # type: ignore[index]
    new = round(old + (3.0 - old) / 2, 4)
    made = lab("hypothesis", f"SLOPE {old} to {new}", "-m", "half of the way to the truth")
    assert made.returncode == 0, made
    TRAIN.write_text(text.replace(f"SLOPE = {old}", f"SLOPE = {new}"))
    found = finished("run", made.stdout.strip())
    while found["suggest"] == "replicate":
        words = found["next"].split()[1:]
        finished(*words)
        found = finished("wait", found["experiment"])
    verdict = lab("result", found["experiment"], "-v", found["suggest"])
    assert verdict.returncode == 0, verdict
    return verdict.stdout


def main() -> None:
    """Read the brief and do what it says."""
    brief = Path(sys.argv[2]).read_text() if len(sys.argv) > 2 else sys.stdin.read()
    assert "lab run" in brief, brief
    Path("notes.md").write_text(f"{brief[:60]}\n")
    baseline()
    for _ in range(int(sys.argv[1])):
        said = experiment()
        print(json.dumps({"type": "message", "text": said}), flush=True)
        if "session over" in said:
            break
    usage = {"input_tokens": 1000, "output_tokens": 100}
    print(json.dumps({"type": "result", "usage": usage, "total_cost_usd": 0.25}), flush=True)


main()
