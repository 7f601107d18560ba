"""Find a short round trip by simulated annealing. Everything in this file may be changed.

    python solve.py                      # as leaf.toml says
    LAB_PROFILE=smoke python solve.py    # the same number for the same seed

Two moves: reverse a stretch (2-opt), or carry a short one elsewhere (Or-opt); each joins a city
to one of its nearest, and a longer tour is taken with a probability that falls as it cools
(Kirkpatrick, Gelatt and Vecchi, 1983). It leaves `tour.json` in the run's folder.
"""

import json
import math
import random

from prepare import length

from shared import clock, run, steps, summary

# -- Settings: edit these, one at a time --------------------------------------

START_TEMP = 2.0  # in typical distances to a neighbour: the first tour melts
END_TEMP = 0.1  # where it freezes
NEIGHBOURS = 30  # nearest cities that a move may join a city to
CARRY_SHARE = 0.0  # of the moves carry a stretch, the others reverse one
CARRY_MOST = 3  # cities in a stretch that is carried
BATCH = 250  # moves between looks at the clock


def main() -> None:
    """Anneal until the budget is used up, then leave the tour."""
    here = run.here(__file__)
    draw = random.Random(here.seed)
    places = [tuple(place) for place in json.loads((here.cache / "cities.json").read_text())]
    tour = Tour(places, draw)
    budget = clock.Clock(here.clock, here.budget_s, here.steps)
    budget.start()
    with steps.StepLog(here.dir) as log:
        tenth = 0
        while not budget.done():
            share = budget.progress()
            tour.anneal(START_TEMP * (END_TEMP / START_TEMP) ** share, BATCH)
            budget.tick(BATCH)
            if share * 20 >= tenth:  # twenty lines tell the story
                tenth += 1
                log.log(budget.steps_done, budget.elapsed(), length=length(places, tour.order))
    answer = {"leaf": "contrib/tour", "tour": tour.order}
    (here.dir / "tour.json").write_text(json.dumps(answer))
    summary.report({"claimed_length": length(places, tour.order), "moves": budget.steps_done})


class Tour:
    """A round trip: `order` lists the cities, `place` says where in it each one stands."""

    def __init__(self, places: list[tuple[float, float]], draw: random.Random) -> None:
        self.draw, self.size = draw, len(places)
        self.far = [[math.dist(a, b) for b in places] for a in places]
        ranked = [sorted(range(self.size), key=row.__getitem__) for row in self.far]
        self.near = [row[1 : NEIGHBOURS + 1] for row in ranked]
        self.typical = sum(self.far[a][row[1]] for a, row in enumerate(ranked)) / self.size
        self.order = self._greedy()
        self.place = [0] * self.size
        self._settle(range(self.size))

    def _greedy(self) -> list[int]:
        """Return the tour that always goes on to the nearest city left."""
        order, left = [self.draw.randrange(self.size)], set(range(self.size))
        left.discard(order[0])
        while left:
            order.append(min(left, key=self.far[order[-1]].__getitem__))
            left.discard(order[-1])
        return order

    def _settle(self, stretch: range) -> None:
        for at in stretch:
            self.place[self.order[at]] = at

    def anneal(self, temperature: float, moves: int) -> None:
        """Try so many moves at one temperature."""
        heat, draw = temperature * self.typical, self.draw.random
        for _ in range(moves):
            a = int(draw() * self.size)
            b = self.near[a][int(draw() * len(self.near[a]))]
            move = self._carry if draw() < CARRY_SHARE else self._reverse
            move(a, b, -heat * math.log(1.0 - draw()))

    def _reverse(self, a: int, b: int, most: float) -> None:
        """Join a to b by reversing what lies between, if that costs at most `most`."""
        order, far, size = self.order, self.far, self.size
        i, j = self.place[a], self.place[b]
        if i > j:
            i, j, a, b = j, i, b, a
        after_a, after_b = order[i + 1], order[(j + 1) % size]
        cost = far[a][b] + far[after_a][after_b] - far[a][after_a] - far[b][after_b]
        if cost > most or after_a == b:
            return
        if 2 * (j - i) <= size:
            order[i + 1 : j + 1] = order[i + 1 : j + 1][::-1]
            self._settle(range(i + 1, j + 1))
        else:  # the rest is shorter, and reversing it gives the same round trip
            rest = (order[j + 1 :] + order[: i + 1])[::-1]
            cut = size - j - 1
            order[j + 1 :], order[: i + 1] = rest[:cut], rest[cut:]
            self._settle(range(j + 1, size))
            self._settle(range(i + 1))

    def _carry(self, a: int, b: int, most: float) -> None:
        """Carry the stretch that begins at a to behind b, if that costs at most `most`."""
        order, far, size = self.order, self.far, self.size
        count = 1 + int(self.draw.random() * CARRY_MOST)
        i, j = self.place[a], self.place[b]
        if i + count >= size or i <= j < i + count or j == i - 1:
            return
        last, before, after = order[i + count - 1], order[i - 1], order[i + count]
        behind = order[(j + 1) % size]
        if behind == a:
            return
        taken = far[before][a] + far[last][after] - far[before][after]
        # The stretch is turned, so that a comes to stand beside b whichever way costs less.
        ahead = far[b][a] + far[last][behind]
        turned = far[b][last] + far[a][behind]
        if min(ahead, turned) - far[b][behind] - taken > most:
            return
        stretch = order[i : i + count]
        if turned < ahead:
            stretch.reverse()
        if j > i:
            order[i : j + 1] = order[i + count : j + 1] + stretch
            self._settle(range(i, j + 1))
        else:
            order[j + 1 : i + count] = stretch + order[j + 1 : i]
            self._settle(range(j + 1, i + count))


if __name__ == "__main__":
    main()
