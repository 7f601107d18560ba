"""What every scripted agent does: type `lab` commands and read what they say."""

import json
import random
import re
import subprocess
from pathlib import Path
from typing import Any

TRAIN = Path("train.py")
TRUTH = 3.0  # where the toy leaf's SLOPE is best


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


def edit() -> tuple[float, float]:
    """Write a SLOPE about half of the way to the truth; return the old and the new one.

    A little further with each experiment there was, and off by chance, so that nothing is tried
    twice.
    """
    share = 0.4 + 0.03 * len(json.loads(lab("log", "-n", "12", "--json").stdout))
    text = TRAIN.read_text()
    old = float(re.search(r"^SLOPE = ([\d.]+)", text, re.M)[1])  # type: ignore[index]
    new = round(old + (TRUTH - old) * share + random.uniform(-1e-3, 1e-3), 9)
    TRAIN.write_text(text.replace(f"SLOPE = {old}", f"SLOPE = {new}"))
    return old, new


def idea() -> str:
    """Edit, write the hypothesis down, return its id."""
    old, new = edit()
    made = lab("hypothesis", f"SLOPE {old} to {new}", "-m", "half of the way to the truth")
    assert made.returncode == 0, made
    return made.stdout.strip()


def verdict(found: dict[str, Any]) -> str:
    """Replicate while told to, give the verdict suggested, return what `lab result` said."""
    while found["suggest"] == "replicate":
        finished(*found["next"].split()[1:])
        found = finished("wait", found["experiment"])
    done = lab("result", found["experiment"], "-v", found["suggest"])
    assert done.returncode == 0, done
    return done.stdout


def experiment() -> str:
    """Do one experiment from the idea to the verdict; return what `lab result` said."""
    return verdict(finished("run", idea()))


def say(**line: Any) -> None:
    """Print one line of JSON, as agents with a headless mode do."""
    print(json.dumps(line), flush=True)
