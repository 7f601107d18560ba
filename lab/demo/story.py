"""The demo: each part a sentence, then commands as one would type them, and what they print.

Nothing is canned: the numbers come from runs that happen now. They are the same everywhere, since
the leaf counts steps and the notebook draws its audits' seeds by a fixed salt.
"""

import json
import math
import shlex
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from subprocess import PIPE
from typing import Any

from .. import repo
from ..errors import Failed, Refused
from ..leaf import scaffold
from ..notebook import Notebook, audits
from ..system import source
from ..text import plural

OWN, LEAF = "own", "ring"  # our repository of the two, and its leaf
SALT = "labtree demo 4"
LUCKY = ("STREAM = 0 ", "STREAM = 2 ")  # of the first 24 streams the one that seed 0 likes best
NIGHT = "mar8"  # karpathy/autoresearch, branch exp/H100/mar8, results.tsv (MIT)
# One run's deviation on that night's task: the same program in 27 sessions on an H200, from 11,172
# trials of ferreirafabio/autoresearch-automl.
NOISE = 0.0005
SHOWN = 1.645  # deviations: luck alone does it in one of twenty


@dataclass
class Demo:
    """A folder of its own, and where to say what."""

    folder: Path
    say: Callable[[str], None]

    def lab(self, *words: str, cwd: Path | None = None) -> None:
        """Type a command, let it print, and stop the demo where it fails."""
        self.say(f"\n$ lab {shlex.join(words)}")
        done = subprocess.run(
            source.argv(*words), cwd=cwd or self.folder, env=source.environ(), check=False
        )
        if done.returncode not in (0, 1):
            raise Failed(
                f"the demo stops here: lab {words[0]} ended with {done.returncode}.",
                f"Look around: cd {self.folder} && lab log",
            )

    def typed(self, *words: str) -> str:
        """Type a command and return what it printed."""
        self.say(f"\n$ lab {shlex.join(words)}")
        done = subprocess.run(
            source.argv(*words), cwd=self.folder, env=source.environ(), stdout=PIPE, text=True
        )
        return done.stdout

    def ask(self, *words: str) -> Any:
        """Return the document of a command, quietly."""
        argv = [*source.argv(*words), "--json"]
        done = subprocess.run(
            argv, cwd=self.folder, env=source.environ(), capture_output=True, check=False
        )
        return json.loads(done.stdout)


def begin(folder: Path) -> None:
    """Make the two repositories that it plays in: an empty one, and one with a detuned leaf."""
    if folder.exists() and any(folder.iterdir()):
        raise Refused(f"{folder} is not empty.", f"Choose another: lab demo {folder.name}-2")
    for name in (NIGHT, OWN):
        (folder / name).mkdir(parents=True)
        repo.git("init", "--quiet", cwd=folder / name)
    top = folder / OWN
    files = [f"{LEAF}/{name}" for name in scaffold.make(top, LEAF, None, "lab.demo")]
    repo.commit_only(top, "a leaf that could do better", files, files)
    place = repo.place(top)
    repo.make_home(place)
    with Notebook(place.notebook, who=place.who) as book, book.write():
        book.event(audits.SALT, "demo", SALT)


def tell(folder: Path, say: Callable[[str], None]) -> None:
    """Play the parts in a folder that was begun; Failed where a command of them fails."""
    read_a_night(Demo(folder / NIGHT, say))
    demo = Demo(folder / OWN, say)
    measure(demo)
    tree = catch(demo)
    refuse(demo, tree)
    confirm(demo)
    end(demo)


def read_a_night(demo: Demo) -> None:
    """Show what a published night claimed, and how much of it is more than luck."""
    demo.say("== 1. A published night of another tool, read by lab: what did it really gain?")
    log = resources.files("lab.demo").joinpath("mar8.tsv")
    with resources.as_file(log) as path:
        demo.lab("import", str(path), "--leaf", NIGHT)
    found = demo.ask("board", NIGHT)
    gains = [
        row["gain"] for row in found["experiments"] if row["verdict"] == "keep" and row["gain"]
    ]
    bar = SHOWN * math.sqrt(2.0) * NOISE
    stand = [gain for gain in gains if gain > bar]
    demo.say(
        f"{plural(len(gains), 'gain')} were claimed, {math.fsum(gains):.4f} in all, each from one "
        f"run.\nTwo runs of one program differ there by {math.sqrt(2) * NOISE:.4f} (deviation): "
        f"{len(stand)} gains, {math.fsum(stand):.4f} together, are above\n{bar:.4f}, which luck "
        f"passes once in twenty. All of them: lab board {NIGHT}, in {demo.folder}"
    )


def measure(demo: Demo) -> None:
    """Measure what is there, three times."""
    demo.say(
        "\n== 2. A small program of our own, whose learning rate is far too low. Three runs "
        "say\n      how good it is, and how far apart mere luck puts two runs of it."
    )
    demo.lab("run", "--baseline", "--seeds", "3", "--leaf", LEAF)


def catch(demo: Demo) -> Path:
    """Keep a change that was lucky, and let an audit catch it; return where the agent works."""
    demo.say(
        "\n== 3. An agent's idea, lucky at first sight: other random numbers, which help nobody."
        "\n      One run is enough to go on with it, not to claim it: an audit runs both sides"
        "\n      again, in turn, at new seeds."
    )
    tree = Path(demo.typed("worktree", LEAF, "agent").strip())
    train = tree / "train.py"
    train.write_text(train.read_text(encoding="utf-8").replace(*LUCKY), encoding="utf-8")
    demo.say(f"\n$ cd {tree}\n$ sed -i 's/^{LUCKY[0]}/{LUCKY[1]}/' train.py")
    because = "another start lies nearer to a good valley"
    demo.lab(
        "hypothesis", "initialise the weights by another random stream", "-m", because, cwd=tree
    )
    demo.lab("run", "h1", cwd=tree)
    demo.lab("result", "e2", "-v", "keep", cwd=tree)
    demo.lab("audit", cwd=tree)
    return tree


def refuse(demo: Demo, tree: Path) -> None:
    """Ask for the same idea in other words: a dead end, named before it costs a run."""
    demo.say("\n== 4. The next agent has the same idea in other words. Before it costs a run:")
    because = "some starts end in a better minimum"
    demo.lab("hypothesis", "try a luckier weight initialisation", "-m", because, cwd=tree)
    demo.lab("drop", "h2", cwd=tree)


def confirm(demo: Demo) -> None:
    """Let the tuner win back what is lost, and confirm it."""
    demo.say(
        "\n== 5. The tuner turns the knobs, and what it kept is audited: only that gain is claimed."
    )
    demo.lab("loop", LEAF, "--agent", "tuner", "--experiments", "3", "--audit")


def end(demo: Demo) -> None:
    """Show the board, and what to type next."""
    demo.lab("board", LEAF)
    demo.say(
        f"\nLook around in {demo.folder}: lab show e2, lab failures 'random weights'.\n"
        "In your own repository: lab adopt train.py, then lab loop . --agent tuner; or claude,"
        "\ncodex or gemini in its place, where you have one."
    )
