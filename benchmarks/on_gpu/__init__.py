"""What to measure when a GPU is lent for ten minutes: one script, in the order of what matters.

Each step is a process of its own with a limit; one that fails or hangs is told, and the next
begins. Every figure is printed as soon as it is there. Nothing is fetched: the corpus is the
standard library's text, or a cache that was prepared elsewhere.
"""

import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from on_gpu import recipes

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 545  # of a call that may last 590
STEPS = 60  # of a measurement of speed, after compiling
PLANTED = {
    "planted: crash": "raise SystemExit('planted')",
    "planted: hang": "import time; time.sleep(600)",
}


@dataclass
class Call:
    """One use of the GPU: until when, in which folder, and what failed."""

    home: Path
    rehearse: bool
    cache: Path | None
    until: float
    failed: list[str] = field(default_factory=list)

    @property
    def left(self) -> float:
        """Seconds that remain."""
        return self.until - time.monotonic()

    def step(self, name: str, limit: float, work: Callable[[], None]) -> None:
        """Do one step; whatever goes wrong in it ends this step alone."""
        say(f"\n== {name} ({self.left:.0f} s left)")
        patience = 6 if self.rehearse else 1  # a CPU is slower than the GPU that limits are for
        self.until_step = time.monotonic() + min(limit * patience, self.left)
        try:
            if self.left < 5:
                raise TimeoutError("no time left")
            work()
        except Exception as error:
            self.failed.append(name)
            say(f"failed: {name}: {type(error).__name__}: {str(error)[-600:]}")

    def run(self, words: list[str], folder: Path, **told: str) -> str:
        """Run a command within the step's limit; return its output, or raise with its error."""
        child = subprocess.Popen(
            words,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), **told},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            out, errors = child.communicate(timeout=max(1, self.until_step - time.monotonic()))
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.communicate()
        if child.returncode:
            raise RuntimeError(errors.strip() or f"exit code {child.returncode}")
        return out


def say(text: str) -> None:
    """Print at once: what was measured is not to be lost with the machine."""
    print(text, flush=True)


def main(rehearse: bool, cache: Path | None, seconds: float = SECONDS) -> int:
    """Do all steps; return 1 when one failed, but for those planted in a rehearsal."""
    home = Path(tempfile.mkdtemp(prefix="on-gpu-"))
    seconds = 3 * seconds if rehearse else seconds
    call = Call(home, rehearse, cache, time.monotonic() + seconds)
    say(f"device: {device(rehearse)}")
    for name, body in (PLANTED if rehearse else {}).items():
        call.step(name, 2, lambda body=body: say(call.run([sys.executable, "-c", body], home)))
    call.step("the profile offline by lab run, twice", 150, lambda: by_lab(call))
    call.step("pieces of a step", 60, lambda: pieces(call))
    call.step("a corpus", 60, lambda: corpus(call))
    for name in recipes.ALL:
        call.step(f"tokens a second, {name}", 80, lambda name=name: speed(call, name))
    if not rehearse:
        call.step("tokens a second, OURS by cuBLAS", 60, lambda: speed(call, "OURS", hopper=False))
    call.step("bits per byte at equal seconds", call.left, lambda: quality(call))
    shutil.rmtree(home, ignore_errors=True)
    return told(call)


def told(call: Call) -> int:
    """Say what failed; a planted failure that did not is one as well."""
    planted = set(PLANTED) if call.rehearse else set()
    missed = planted ^ set(call.failed)
    say(f"\n{call.left:.0f} s left; failed: {', '.join(call.failed) or 'nothing'}")
    return int(bool(missed))


def device(rehearse: bool) -> str:
    """Return the name of what everything is measured on."""
    code = "from shared import device; print(device.name(device.pick('gpu')))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.strip() + (" (a rehearsal)" if rehearse else "")


# -- The steps ------------------------------------------------------------------


def by_lab(call: Call) -> None:
    """Run the profile twice through `lab`: it runs, and the second finds what was compiled."""
    place = call.home / "repo"
    ignore = shutil.ignore_patterns(".git", ".venv*", "runs", "__pycache__", ".lab")
    shutil.copytree(ROOT, place, ignore=ignore)
    profile = "smoke" if call.rehearse else "offline"
    toml = place / "pretrain" / "leaf.toml"
    text = toml.read_text()
    short = re.sub(r"(?s)(\[profiles\.offline\].*?\nbudget_s = )\d+", r"\g<1>20", text)
    toml.write_text(re.sub(r"^steps = \d+", "steps = 8", short, flags=re.M))
    git = ["git", "-c", "user.name=bench", "-c", "user.email=bench@localhost"]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "as carried"]):
        call.run([*git, *words], place)
    for _ in range(2):
        words = ["-m", "lab", "run", "--baseline", "--leaf", "pretrain", "--profile", profile]
        began = time.monotonic()
        said = call.run([sys.executable, *words], place, PYTHONPATH=str(place))
        say(f"{said.strip()}\n{time.monotonic() - began:.1f} s in all")


def pieces(call: Call) -> None:
    """Print which way of each piece is quickest, and whether it is right."""
    words = [sys.executable, "-u", str(Path(__file__).with_name("pieces.py"))]
    say(call.run([*words, *(["--rehearse"] if call.rehearse else [])], ROOT).strip())


def corpus(call: Call) -> None:
    """Prepare the text that recipes are compared on, unless a cache was carried along."""
    if call.cache is None:
        call.run([sys.executable, "prepare.py"], ROOT / "pretrain", **environ(call, "prepare", 0))
        call.cache = call.home / "cache"
    say(f"from {call.cache}")


def environ(call: Call, run: str, seed: int, **more: str) -> dict[str, str]:
    """Return what a harness would tell the leaf's scripts."""
    cache = call.cache or call.home / "cache"
    return {
        "LAB_PROFILE": "smoke" if call.rehearse else "offline",
        "LAB_RUN_DIR": str(call.home / "runs" / run),
        "LAB_CACHE_DIR": str(cache),
        "LAB_HELD_OUT_DIR": f"{cache}.held-out",
        "LAB_SEED": str(seed),
        "TORCHINDUCTOR_CACHE_DIR": str(call.home / "compiled"),
        **more,
    }


def trained(call: Call, name: str, seed: int, **more: str) -> dict[str, float]:
    """Train by a recipe; return what training reported."""
    from shared import summary

    leaf = call.home / name / "pretrain"
    if not leaf.exists():
        shutil.copytree(
            ROOT / "pretrain", leaf, ignore=shutil.ignore_patterns("runs", "__pycache__")
        )
        recipes.write(name, leaf, call.rehearse)
    told = environ(call, f"{name}-{seed}", seed, **more)
    return summary.parse(call.run([sys.executable, "train.py"], leaf, **told))


def speed(call: Call, name: str, hopper: bool = True) -> None:
    """Print tokens a second, memory and the share of the peak, after compiling."""
    steps = 3 if call.rehearse else STEPS
    told = {"LAB_CLOCK": "steps", "LAB_DATA": f'{{"steps": {steps}}}'}
    got = trained(call, name, 0, **told, LAB_MLP_KERNEL=str(int(hopper)))
    shares = f", {100 * got['mfu']:.1f} % of the peak" if "mfu" in got else ""
    say(
        f"{name}: {got['tokens_per_s']:,.0f} tokens/s, {got['peak_memory_mb']:,.0f} MB{shares}, "
        f"started in {got['startup_s']:.1f} s"
    )


def quality(call: Call, each: float = 0) -> None:
    """Print bits per byte of our recipe and MAR8's in turns, A B B A, at equal seconds."""
    from shared import summary

    values: dict[str, list[float]] = {"OURS": [], "MAR8": []}
    order = [("OURS", 0), ("MAR8", 0), ("MAR8", 1), ("OURS", 1)]
    around = 2 if call.rehearse else 35  # seconds of imports, warm compiling and evaluation
    each = each or (2 if call.rehearse else call.left / len(order) - around)
    for name, seed in order:
        trained(call, name, seed, LAB_CLOCK="wall", LAB_BUDGET_S=f"{each:.0f}")
        leaf, told = call.home / name / "pretrain", environ(call, f"{name}-{seed}", seed)
        block = summary.parse(call.run([sys.executable, "evaluate.py"], leaf, **told))
        values[name].append(block["val_bpb"])
        say(
            f"{name}, seed {seed}, {each:.0f} s: {block['val_bpb']:.4f}, in {block['eval_s']:.1f} s"
        )
    ours, mar8 = (statistics.mean(values[name]) for name in ("OURS", "MAR8"))
    say(f"OURS / MAR8: {ours / mar8:.4f}")
