"""Measure the pretrain leaf: bits per byte, noise, bad knobs, prepare, start, loader.

    python benchmarks/bench_pretrain.py                 # all, about 15 minutes on an idle core
    python benchmarks/bench_pretrain.py quality --seeds 5
    python benchmarks/bench_pretrain.py knobs | prepare | start | loader
    python benchmarks/bench_pretrain.py paired --against REV    # 600 steps, both versions in turns
    python benchmarks/bench_pretrain.py gpu                     # on a GPU, 545 s; see on_gpu/
    python benchmarks/bench_pretrain.py gpu --rehearse          # the same on a CPU, tiny

Every training is one thread with a budget of CPU seconds, as the `cpu` profile has it; prints a
Markdown table. Data and artefacts go to a temporary folder.
"""

import argparse
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "pretrain")]

import on_gpu  # noqa: E402

from shared import summary  # noqa: E402  (the repository's own, wherever this is started)

# nanoGPT at commit 3adf61e, its CPU recipe unmodified, 62.6 CPU seconds of one thread on the same
# corpus: bits per byte on the first 131,072 held-out bytes. Measured once, not by this script.
NANOGPT = 2.913
BAD = {"LEARNING_RATE": "0.0005", "HEAD_LR": "0.0003", "WIDTH_X": "4.0"}


def script(leaf: Path, home: Path, name: str, **told: str) -> dict[str, float]:
    """Run one of the leaf's scripts to its end; return its block."""
    done = subprocess.run(
        [sys.executable, name],
        cwd=leaf,
        env=environ(home, **told),
        text=True,
        capture_output=True,
    )
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr}")
    return summary.parse(done.stdout)


def environ(home: Path, **told: str) -> dict[str, str]:
    """Return the environment a harness would give, with everything inside `home`."""
    folders = {"LAB_RUN_DIR": str(home / "run"), "LAB_CACHE_DIR": str(home / "cache")}
    return {**os.environ, "PYTHONPATH": str(ROOT), "LAB_PROFILE": "cpu", **folders, **told}


def trained(leaf: Path, home: Path, seed: int) -> dict[str, float]:
    """Train and evaluate once; return both blocks."""
    told = {"LAB_SEED": str(seed)}
    return script(leaf, home, "train.py", **told) | script(leaf, home, "evaluate.py", **told)


def cpu_of_children() -> float:
    """Return the CPU seconds of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def row(measure: str, value: str, wanted: str) -> None:
    """Print one line of the table."""
    print(f"| {measure} | {value} | {wanted} |", flush=True)


def bench_prepare(leaf: Path, home: Path, seeds: int) -> None:
    """Time the first and the second preparation."""
    times = []
    for _ in range(2):
        started, before = time.perf_counter(), cpu_of_children()
        script(leaf, home, "prepare.py")
        spent = cpu_of_children() - before
        times.append(f"{time.perf_counter() - started:.1f} s ({spent:.1f} CPU s)")
    row("prepare, first time", times[0], "<= 60 s")
    row("prepare, again", times[1], "<= 1 s")


def bench_start(leaf: Path, home: Path, seeds: int) -> None:
    """Time from starting the process to the first finished training step."""
    log = home / "run/steps.jsonl"
    log.unlink(missing_ok=True)
    started, before = time.perf_counter(), cpu_of_children()
    told = environ(home, LAB_BUDGET_S="0.5")
    child = subprocess.Popen(
        [sys.executable, "train.py"], cwd=leaf, env=told, stdout=subprocess.DEVNULL
    )
    while child.poll() is None and not (log.exists() and log.stat().st_size):
        time.sleep(0.01)
    spent = time.perf_counter() - started
    child.wait()
    cpu = cpu_of_children() - before - 0.5  # what it spent beyond its budget
    row("start to first step", f"{spent:.1f} s ({cpu:.1f} CPU s)", "<= 6 s")


def bench_loader(leaf: Path, home: Path, seeds: int) -> None:
    """Read batches as the profile does, and as the GPU's start would, from a memory map."""
    import torch
    from data import Loader

    torch.set_num_threads(1)
    path, device = home / "cache/train.bin", torch.device("cpu")
    for context, tokens in ((64, 1024), (1024, 2**17)):
        count = 2**25 // tokens
        batches = iter(Loader(path, 1024, context, tokens, 0, device))
        next(batches)
        started = time.process_time()
        for _ in islice(batches, count):
            pass
        speed = count * tokens / (time.process_time() - started) / 1e6
        row(f"loader, {tokens} tokens a batch", f"{speed:.0f} M tokens/s", ">= 50 M tokens/s")


def bench_quality(leaf: Path, home: Path, seeds: int) -> tuple[float, float]:
    """Train the default with several seeds; return mean and standard deviation."""
    runs = []
    for seed in range(seeds):
        runs.append(trained(leaf, home, seed))
        print(f"seed {seed}: {runs[-1]['val_bpb']:.4f}", file=sys.stderr, flush=True)
    values = [run["val_bpb"] for run in runs]
    mean, sd = statistics.mean(values), statistics.stdev(values) if seeds > 1 else 0.0
    steps, seconds = (statistics.mean(run[name] for run in runs) for name in ("num_steps", "cpu_s"))
    row("bits per byte", f"{mean:.4f} ({seeds} seeds)", "<= 1.83")
    row("of nanoGPT's CPU recipe", f"{mean / NANOGPT:.3f} x", "<= 0.63 x")
    row("noise (sd over seeds)", f"{sd:.4f}", "<= 0.015")
    row("steps in the budget", f"{steps:.0f} in {seconds:.1f} CPU s", "")
    return mean, sd


def bench_knobs(leaf: Path, home: Path, seeds: int, known: tuple[float, float] = (0, 0)) -> None:
    """Train once with each bad value; say what it costs in standard deviations."""
    mean, sd = known if known[1] else bench_quality(leaf, home, seeds)
    for name, bad in BAD.items():
        spoilt = home / "spoilt"
        shutil.copytree(leaf, spoilt, ignore=shutil.ignore_patterns("runs", "__pycache__"))
        text = (spoilt / "train.py").read_text()
        changed = re.sub(rf"^{name} = \S+", f"{name} = {bad}", text, flags=re.M)
        (spoilt / "train.py").write_text(changed)
        cost = trained(spoilt, home, 0)["val_bpb"] - mean
        row(f"{name} = {bad} costs", f"{cost:+.4f} ({cost / sd:.0f} sd)", "> 5 sd")
        shutil.rmtree(spoilt)


def bench_paired(home: Path, against: str, steps: int, seeds: int) -> None:
    """Train this version and another one in turns, for equal steps and with equal seeds."""
    other = home / "other"
    other.mkdir()
    words = ["git", "-C", str(ROOT), "archive", against, "pretrain", "shared"]
    archive = subprocess.run(words, capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x", "-C", str(other)], input=archive, check=True)
    told = {"LAB_CLOCK": "steps", "LAB_DATA": json.dumps({"steps": steps})}
    versions = {"before": (other, home / "before"), "now": (ROOT, home / "now")}
    for root, own in versions.values():  # each prepares its own data: their layout changed
        own.mkdir()
        script(root / "pretrain", own, "prepare.py", PYTHONPATH=str(root))
    for seed in range(seeds):
        for name, (root, own) in versions.items():
            more = {**told, "LAB_SEED": str(seed), "PYTHONPATH": str(root)}
            done = script(root / "pretrain", own, "train.py", **more)
            done |= script(root / "pretrain", own, "evaluate.py", **more)
            spent = f"{done['val_bpb']:.4f} in {done['cpu_s']:.1f} CPU s"
            row(f"{steps} steps, seed {seed}, {name}", spent, "")


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", nargs="?", default="all")
    parser.add_argument("--seeds", type=int, default=5, help="seeds of the default, 2 or more")
    parser.add_argument("--against", default="HEAD", help="paired: the other version's commit")
    parser.add_argument("--steps", type=int, default=600, help="paired: of each training")
    parser.add_argument("--rehearse", action="store_true", help="gpu: tiny, on a CPU")
    parser.add_argument("--cache", type=Path, help="gpu: data that were prepared elsewhere")
    asked = parser.parse_args()
    if asked.what == "gpu":
        sys.exit(on_gpu.main(asked.rehearse, asked.cache))
    leaf = ROOT / "pretrain"
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        print("| measure | value | wanted |\n|---|---|---|")
        bench_prepare(leaf, home, asked.seeds)
        known = (0.0, 0.0)
        if asked.what == "paired":
            bench_paired(home, asked.against, asked.steps, asked.seeds)
        for name, bench in (("start", bench_start), ("loader", bench_loader)):
            if asked.what in (name, "all"):
                bench(leaf, home, asked.seeds)
        if asked.what in ("quality", "all"):
            known = bench_quality(leaf, home, asked.seeds)
        if asked.what in ("knobs", "all"):
            bench_knobs(leaf, home, asked.seeds, known)


if __name__ == "__main__":
    main()
