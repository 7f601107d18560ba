"""Verdicts: one run moves the branch, near misses wait in a bag, and each verdict says why."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.judge import Noise, Policy, Record, failed, judge

BASELINE = Record({}, {0: 1.001, 1: 1.000, 2: 0.999})  # mean 1, three seeds
NOISE = Noise(0.001, 2)
TIP = Record({0: 0.980}, {})  # won at 0.980 by one run: its level is 0.9804
AUDITED = Record({0: 0.980}, {71: 0.984, 72: 0.985, 73: 0.986})
STRICT = Policy(rule="strict", luck=0.3)


def lower(*values, incumbent=BASELINE, noise=NOISE, **options):
    return judge(dict(enumerate(values)), incumbent, noise, "minimize", **options)


@pytest.mark.parametrize(
    ("value", "suggest", "reason"),
    [
        (0.9985, "keep", "better"),
        (0.9995, "discard", "bagged"),
        (1.0000, "discard", "undecided"),
        (1.0015, "discard", "undecided"),
        (1.0100, "discard", "worse"),
    ],
    ids=["above the bar", "below it", "at the level", "a little worse", "a dead end"],
)
def test_what_one_run_is_suggested(value, suggest, reason):
    verdict = lower(value)
    assert (verdict.suggest, verdict.reason) == (suggest, reason)
    assert verdict.near_miss == (reason == "bagged")


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_the_bar_is_where_a_keep_begins(direction):
    bar = judge({0: 1.0}, BASELINE, NOISE, direction).bar
    better = -1e-9 if direction == "minimize" else 1e-9
    assert judge({0: bar + better}, BASELINE, NOISE, direction).suggest == "keep"
    assert judge({0: bar - better}, BASELINE, NOISE, direction).suggest == "discard"


def test_more_runs_do_not_keep_what_the_first_did_not_unless_by_far():
    assert lower(0.9993).suggest == "discard"
    assert lower(0.9993, 0.9980, 0.9980, 0.9980).suggest == "discard"
    assert lower(0.9993, 0.9940, 0.9940, 0.9940).suggest == "keep"
    assert lower(0.9980, 0.9980).suggest == "keep"


def test_the_strict_rule_looks_three_times_and_no_more():
    strict = Policy(rule="strict")
    few, more = dict.fromkeys(range(3), 0.9990), dict.fromkeys(range(3, 9), 0.9900)
    start = (BASELINE, NOISE, "minimize")
    assert judge(few, *start, policy=strict).suggest == "discard"
    assert judge(few | more, *start, policy=strict).suggest == "discard"


class TestALevel:
    def test_is_a_baselines_mean_and_a_kept_number_less_its_luck(self):
        assert lower(0.9).level == pytest.approx(1.0)
        assert lower(0.9, incumbent=TIP).level == pytest.approx(0.9804)
        assert lower(0.9798, incumbent=TIP).gain == pytest.approx(0.0006)

    def test_is_what_nobody_selected_once_there_is_an_audit(self):
        assert lower(0.9, incumbent=AUDITED).level == pytest.approx(0.985)

    def test_of_more_runs_takes_less_luck_off(self):
        four = Record(dict.fromkeys(range(4), 0.98), {})
        assert lower(0.9, incumbent=four).level == pytest.approx(0.9802)

    def test_lies_the_other_way_where_more_is_better(self):
        assert judge({0: 0.99}, TIP, NOISE, "maximize").level == pytest.approx(0.9796)


class TestWithoutNoise:
    @pytest.mark.parametrize(("runs", "more"), [(1, 2), (2, 1), (3, 1)])
    def test_nothing_is_kept_by_sign_and_the_incumbent_is_run_again(self, runs, more):
        alone = Record({}, dict.fromkeys(range(runs), 1.0))
        verdict = lower(0.5, incumbent=alone, noise=None)
        assert (verdict.suggest, verdict.target, verdict.more) == ("replicate", "incumbent", more)
        assert "noise unknown" in verdict.why

    def test_a_constant_metric_keeps_any_gain_and_no_tie(self):
        quiet = Noise(0.0, 2)
        assert lower(0.9999, noise=quiet).suggest == "keep"
        same = Record({}, {0: 1.0, 1: 1.0})
        verdict = lower(1.0, incumbent=same, noise=quiet)
        assert (verdict.suggest, verdict.near_miss, verdict.p_better) == ("discard", False, 0.0)
        assert lower(1.0, incumbent=same, noise=quiet, lines_changed=-2).reason == "simpler"


class TestSeedsThatFail:
    def test_count_against_it_however_good_the_others_are(self):
        verdict = lower(0.5, 0.5, failures=2)
        assert (verdict.suggest, verdict.reason) == ("discard", "failed")
        assert verdict.why == "2 of 4 seeds failed"

    def test_all_of_them_are_a_crash(self):
        assert lower(failures=3) == failed() == lower()
        assert failed().suggest == "crash"


class TestEqualSeeds:
    """Two programs whose runs share a seed's luck are compared at that seed."""

    SPREAD = Record({}, {0: 1.002, 1: 1.000, 2: 0.998})

    def test_take_the_seeds_luck_out_of_a_difference(self):
        alone, paired = (lower(1.0005, incumbent=self.SPREAD, rho=rho) for rho in (0.0, 0.9))
        assert alone.gain == pytest.approx(-0.0005)
        assert paired.gain == pytest.approx(0.0015)
        assert paired.suggest == "keep"
        assert paired.se < alone.se
        assert "equal seeds" in paired.why

    @pytest.mark.parametrize(("rho", "used"), [(0.33, False), (0.34, True)])
    def test_are_used_from_where_they_tell_more_than_the_mean(self, rho, used):
        paired = lower(1.0005, incumbent=self.SPREAD, rho=rho).gain > 0
        assert paired == used

    def test_are_not_used_for_a_seed_that_the_incumbent_never_ran(self):
        verdict = judge({9: 1.0005}, self.SPREAD, NOISE, "minimize", rho=0.9)
        assert verdict.gain == pytest.approx(-0.0005)

    def test_with_the_very_same_numbers_are_a_tie_whatever_luck_is_taken_off(self):
        verdict = lower(0.980, incumbent=TIP)
        assert (verdict.gain, verdict.suggest, verdict.near_miss) == (0.0, "discard", False)
        assert lower(0.980, incumbent=TIP, together=True).suggest == "discard"
        once = lower(0.980, incumbent=TIP, lines_changed=-1)  # a share may tie by chance
        assert (once.suggest, once.more) == ("replicate", 1)
        exact = {7: 0.98123457}
        told = judge(exact, Record(exact, {}), NOISE, "minimize", lines_changed=-1)
        assert told.reason == "simpler"


class TestABag:
    def test_tried_together_is_kept_for_any_gain_and_never_bagged_again(self):
        assert lower(0.9999, together=True).suggest == "keep"
        assert lower(1.0001, together=True).reason == "undecided"

    def test_of_none_leaves_a_near_miss_undecided(self):
        assert lower(0.9995, policy=Policy(bag=0)).reason == "undecided"


class TestFewerLines:
    def test_are_kept_unless_they_cost_a_third_of_the_noise(self):
        assert lower(1.0002, lines_changed=-3).reason == "simpler"
        assert lower(1.0004, lines_changed=-3).suggest == "discard"
        assert lower(1.0002, lines_changed=3).suggest == "discard"

    def test_are_no_reason_once_there_were_enough_of_them(self):
        assert lower(1.0002, lines_changed=-3, may_simplify=False).suggest == "discard"


class TestTheStrictRule:
    @pytest.mark.parametrize(
        ("values", "suggest"),
        [
            ([0.9930], "keep"),
            ([0.9960], "replicate"),
            ([0.9990], "discard"),
            ([0.9975, 0.9970], "keep"),
            ([0.9980, 0.9995], "replicate"),
            ([0.9985, 0.9998], "discard"),
            ([0.9980, 0.9980, 0.9990], "keep"),
            ([0.9980, 0.9995, 0.9990], "discard"),
        ],
    )
    def test_certifies_each_change_by_one_to_three_runs(self, values, suggest):
        assert lower(*values, policy=STRICT).suggest == suggest


def test_a_minimal_effect_is_part_of_what_must_be_cleared():
    assert lower(0.99, min_effect=0.02).suggest == "discard"
    assert lower(0.97, min_effect=0.02).suggest == "keep"


def test_a_broken_constraint_discards_the_best_number_and_is_named():
    verdict = lower(0.9, broken=["peak_memory_mb <= 80000"])
    assert (verdict.suggest, verdict.reason, verdict.more) == ("discard", "constraint", 0)
    assert verdict.why.startswith("breaks peak_memory_mb <= 80000; 0.1 better")
    assert verdict.near_miss


def test_without_an_incumbent_there_is_no_gain():
    verdict = lower(1.0, incumbent=None)
    assert (verdict.suggest, verdict.gain) == ("keep", None)
    assert lower(1.0, incumbent=None, broken=["budget"]).reason == "constraint"


def test_a_number_that_is_not_finite_is_refused_rather_than_compared():
    with pytest.raises(ValueError, match="finite"):
        lower(float("nan"))


@given(
    value=st.integers(-50, 50),
    exponent=st.integers(-30, 30),
    direction=st.sampled_from(["minimize", "maximize"]),
)
def test_the_unit_of_the_metric_changes_no_suggestion(value, exponent, direction):
    def at(scale):
        record = Record({}, {0: 3 * scale, 1: -4 * scale, 2: 7 * scale})
        return judge({0: value * scale}, record, Noise(5 * scale, 2), direction)

    here, there = at(1.0), at(2.0**exponent)
    assert (here.suggest, here.reason, here.more) == (there.suggest, there.reason, there.more)
    assert here.p_better == there.p_better


@given(st.lists(st.floats(0.9, 1.1), min_size=1, max_size=6), st.floats(0, 0.1))
def test_a_better_candidate_is_never_judged_worse(values, step):
    order = ["discard", "replicate", "keep"]
    for policy in (Policy(), STRICT):
        before = lower(*values, policy=policy)
        after = lower(*(value - step for value in values), policy=policy)
        assert order.index(before.suggest) <= order.index(after.suggest)


def test_a_lucky_seed_of_the_baseline_flatters_no_candidate() -> None:
    lucky = Record({}, {0: 0.3518, 1: 0.3616, 2: 0.3631})
    noise = Noise(0.0061, 2)
    same = judge({0: 0.3520}, lucky, noise, "minimize")
    assert (same.suggest, same.reason) == ("discard", "bagged")
    assert "its own seed" in same.why or "incumbent's own seed" in same.why
    assert judge({0: 0.3500}, lucky, noise, "minimize").suggest == "keep"
    assert judge({5: 0.3520}, lucky, noise, "minimize").suggest == "keep"  # another seed
