"""Coding agents that behave as real ones do on a bad night: python misbehaving.py HOW [FILE]."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from hands import TRAIN, baseline, experiment, finished, idea, lab, say, verdict

NOTE = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(os.devnull)


def slow() -> None:
    """Say nothing for a while, then work."""
    time.sleep(2)
    experiment()


def early() -> None:
    """Leave while a run is in flight."""
    lab("run", idea(), "--detach")


def goes_on() -> None:
    """Leave while a run is in flight; the next session reads how it went and gives the verdict."""
    brief = sys.stdin.read()
    NOTE.write_text(brief)
    if "has no verdict yet" not in brief:
        return early()
    verdict(finished("wait"))


def nothing() -> None:
    """Talk and try nothing."""
    print("I looked at the learning rate limit and decided to think about it some more.")


def hangs() -> None:
    """Do one experiment, then hang, deaf to polite requests, with a child in its own session."""
    import signal

    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    experiment()
    child = subprocess.Popen(["sleep", "300"], start_new_session=True)
    NOTE.write_text(json.dumps([os.getpid(), child.pid]))
    time.sleep(300)


def floods() -> None:
    """Print far more than anybody reads, work, and say at the end what it cost."""
    line = "x" * 1000 + "\n"
    for _ in range(25_000):
        sys.stdout.write(line)
    experiment()
    say(type="result", usage={"input_tokens": 7, "output_tokens": 3}, total_cost_usd=0.5)


def frozen() -> None:
    """Edit a frozen file, read the refusal, do what it says."""
    name = idea()
    Path("evaluate.py").write_text("print('---\\nloss: 0\\n---')\n")
    refused = lab("run", name)
    NOTE.write_text(refused.stderr)
    command = refused.stderr.splitlines()[1].removeprefix("Restore it: ")
    subprocess.run(command, shell=True, check=True)
    verdict(finished("run", name))


def commits() -> None:
    """Commit by itself, read the refusal, do what it says."""
    name = idea()
    who = ["-c", "user.name=agent", "-c", "user.email=agent@example.org"]
    subprocess.run(["git", *who, "commit", "-qam", "my work"], check=True)
    refused = lab("run", name)
    NOTE.write_text(refused.stderr)
    command = refused.stderr.splitlines()[1].partition(": ")[2]
    subprocess.run(command, shell=True, check=True)
    verdict(finished("run", name))


def forgets() -> None:
    """Never give a verdict; remember what the brief said."""
    NOTE.write_text(sys.stdin.read())
    if TRAIN.read_text().count("SLOPE = 1.0"):
        finished("run", idea())


def limited() -> None:
    """Hit a usage limit once; work in the next session."""
    if not NOTE.exists():
        NOTE.touch()
        said = f"Claude AI usage limit reached|{int(time.time()) + 4}"
        say(type="result", is_error=True, result=said)
        sys.exit(1)
    experiment()


def unnamed_limit() -> None:
    """Hit a limit that names no time once; work in the next session."""
    if not NOTE.exists():
        NOTE.touch()
        print("API Error: 429 RESOURCE_EXHAUSTED: You exceeded your current quota", file=sys.stderr)
        sys.exit(1)
    experiment()


def unsigned() -> None:
    """Not be signed in."""
    say(type="result", is_error=True, result="Invalid API key · Please run /login")
    sys.exit(1)


def sandboxed() -> None:
    """Work where the notebook and git's folders cannot be seen: `lab` answers all the same."""
    NOTE.write_text(json.dumps([os.environ["LAB_RELAY"], lab("worktree", "toy", "eve").stderr]))
    lab("run", idea(), "--detach")
    time.sleep(0.5)
    verdict(finished("wait"))


if __name__ == "__main__":
    if sys.argv[1] not in ("unsigned", "limited", "unnamed_limit", "nothing"):
        baseline()
    globals()[sys.argv[1]]()
