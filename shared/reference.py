"""How much a CPU second is worth just now: a loop of fixed work, timed in turn with the training.

A neighbour takes no CPU seconds from a process, but caches, memory and clock rate: the same second
holds fewer steps. Half of the loop is compression, for the core and its small caches, half looks
numbers up in a large set, for memory; together they slow down much as a training step does
(`docs/benchmarks.md`). Standard library only, so that any leaf and `lab` itself can time it.
"""

import os
import random
import statistics
import time
import zlib

TOLD = "LAB_REFERENCE_S"  # what the loop takes on this machine; the same for all of a leaf's runs
TEXT_BYTES = 60_000  # about 1 ms to compress
NUMBERS = 2**17  # a set of some megabytes, far beyond the caches of one core
LOOKUPS = 2_000  # about 1 ms
EVERY_S = 0.05  # CPU seconds between two loops of 2 ms: 4 % of the time, 300 loops in 15 seconds
MOST = 20  # loops in a row, after a step of a second or longer
FIRST = 100  # loops to learn what one takes: half a second
SWEPT_BYTES = 16 << 20  # without it the loop takes a fifth less than in turn with a training


class Loop:
    """The work, always the same."""

    def __init__(self) -> None:
        draw = random.Random(0)
        self.text = bytes(draw.choices(b"etaoin shrdlu", k=TEXT_BYTES))
        self.numbers = [draw.random() for _ in range(NUMBERS)]
        self.known = set(self.numbers)
        self.numbers.sort()  # so that neighbours in the list lie far apart in memory
        self.next = 0

    def time(self) -> float:
        """Do it once; return the CPU seconds of this thread alone."""
        began = time.thread_time()
        zlib.compress(self.text, 1)
        some = self.numbers[self.next : self.next + LOOKUPS]
        sum(map(self.known.__contains__, some))
        self.next = (self.next + LOOKUPS) % NUMBERS
        return time.thread_time() - began

    def usual_s(self) -> float:
        """Return what it takes after a step while little disturbs: the lower quartile of many."""
        swept, by = bytearray(SWEPT_BYTES), bytearray(SWEPT_BYTES)
        times = []
        for _ in range(FIRST):
            swept[:] = by  # as a step leaves the caches; what was just built lies in them all
            times.append(self.time())
        return statistics.quantiles(times, n=4)[0]


class Meter:
    """CPU seconds of this process, each counted for what it was worth when it passed."""

    def __init__(self) -> None:
        """Start at zero, in the unit that the harness told, or by what the loop takes now."""
        self.loop = Loop()
        self.usual_s = float(os.environ.get(TOLD) or self.loop.usual_s())
        self.latest_s = self.loop.time()
        self.counted = self.shown = 0.0
        self.since = time.process_time()

    def read(self) -> float:
        """Return the seconds so far; times the loop where the last time is a while ago."""
        spent = time.process_time() - self.since
        if spent < EVERY_S:
            now = self.counted + spent * self.usual_s / self.latest_s
        else:
            now = self.counted = self.counted + self._worth(spent)
        self.shown = max(self.shown, now)  # a share of a budget never falls
        return self.shown

    def _worth(self, spent: float) -> float:
        """Return what the seconds since the last loop were worth, by the loops around them."""
        loops = [self.loop.time() for _ in range(min(MOST, int(spent / EVERY_S)))]
        before, self.latest_s = self.latest_s, statistics.fmean(loops)
        self.since += spent + sum(loops)  # what other threads did meanwhile is theirs to pay
        return spent * self.usual_s * 2 / (before + self.latest_s)
