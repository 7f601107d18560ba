"""Verdicts: luck is sent back for more runs or dropped, what holds is kept, and each says why."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.judge import Noise, Policy, Side, failed, judge, pool

BASELINE = Side((), (1.000, 1.002, 0.998, 1.001, 0.999))  # mean 1, five seeds
NOISE = Noise(0.0016, 4)
MEASURED = Side((0.98, 0.981), (1.000, 1.001, 0.999))  # won at 0.9805, is truly about 1


def lower(values, incumbent=BASELINE, noise=NOISE, **options):
    return judge(values, incumbent, noise, "minimize", **options)


@pytest.mark.parametrize(
    ("values", "suggest", "reason"),
    [
        ([1.003], "discard", "worse"),
        (
            [0.9995],
            "discard",
            "undecided",
        ),  # better, but by less than one idea in four of no effect
        ([0.997], "replicate", "undecided"),
        ([0.900], "replicate", "undecided"),  # however good, a single run is never kept
        ([0.900, 0.901], "keep", "better"),
        ([0.997, 1.002], "discard", "undecided"),
        ([0.9981] * 5 + [0.9982], "replicate", "undecided"),
    ],
    ids=["worse", "within luck", "promising", "one run", "holds", "faded", "still open"],
)
def test_what_a_candidate_of_so_many_runs_is_suggested(values, suggest, reason):
    verdict = lower(values)
    assert (verdict.suggest, verdict.reason) == (suggest, reason)


def test_the_gain_is_against_the_mean_and_not_against_the_luckiest_run():
    verdict = lower([0.9975, 0.9975])  # beats the luckiest run, 0.998, by a hair
    assert verdict.gain == pytest.approx(0.0025)
    assert verdict.se == pytest.approx(0.0016 * (1 / 2 + 1 / 5) ** 0.5)


def test_a_metric_to_maximize_gains_upwards_and_its_bar_lies_above():
    verdict = judge([0.62], Side((), (0.60, 0.61)), Noise(0.01, 1), "maximize")
    assert verdict.gain == pytest.approx(0.015)
    assert verdict.bar > 0.605


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_the_bar_is_where_a_keep_begins(direction):
    bar = judge([1.0, 1.0], BASELINE, NOISE, direction).bar
    better = -1e-9 if direction == "minimize" else 1e-9
    assert judge([bar + better] * 2, BASELINE, NOISE, direction).suggest == "keep"
    assert judge([bar - better] * 2, BASELINE, NOISE, direction).suggest == "replicate"


def test_a_gain_just_above_what_the_runs_can_settle_is_kept_after_them():
    asked = lower([0.997])
    assert (asked.target, asked.more) == ("candidate", 1)
    noise = Noise(NOISE.sd, NOISE.df + asked.more)
    gain = float(asked.why.partition("could settle a gain of ")[2].partition(",")[0])
    assert lower([1.0 - 1.01 * gain] * 2, noise=noise).suggest == "keep"
    assert lower([1.0 - 0.99 * gain] * 2, noise=noise).suggest == "replicate"


def test_the_incumbent_is_run_again_when_it_has_fewer_runs_than_the_candidate():
    verdict = lower([0.995, 0.996], Side((), (1.0,)))
    assert (verdict.suggest, verdict.target, verdict.more) == ("replicate", "incumbent", 1)
    assert "1 more run of the incumbent" in verdict.why


def test_six_runs_on_both_sides_that_settle_nothing_are_a_near_miss():
    incumbent = Side((), (1.0, 1.001, 0.999, 1.0, 1.001, 0.999))
    verdict = lower([0.9985] * 3 + [0.9995] * 3, incumbent)
    assert (verdict.suggest, verdict.reason) == ("discard", "undecided")
    assert verdict.near_miss
    assert verdict.why.endswith("still undecided after 6 runs")


@pytest.mark.parametrize(("values", "near"), [([0.9995], True), ([1.0005], True), ([1.003], False)])
def test_a_discard_inside_the_noise_is_a_near_miss_and_a_clear_loss_is_not(values, near):
    verdict = lower(values)
    assert (verdict.suggest, verdict.near_miss) == ("discard", near)


def test_a_minimal_effect_is_part_of_what_must_be_cleared():
    assert lower([0.99, 0.99]).suggest == "keep"
    verdict = lower([0.99, 0.99], min_effect=0.02)
    assert (verdict.suggest, verdict.near_miss) == ("discard", True)
    assert verdict.p_better < 0.01


def test_a_broken_constraint_discards_the_best_number_and_is_named():
    verdict = lower([0.9, 0.9], broken=["peak_memory_mb <= 80000"])
    assert (verdict.suggest, verdict.reason, verdict.more) == ("discard", "constraint", 0)
    assert verdict.why.startswith("breaks peak_memory_mb <= 80000; 0.1 better")
    assert verdict.near_miss


class TestAnIncumbentThatWasKept:
    def test_counts_by_its_fresh_runs_alone_once_there_are_three(self):
        assert lower([0.99, 0.99], MEASURED).gain == pytest.approx(0.01)

    def test_is_measured_before_anything_is_kept_against_it(self):
        verdict = lower([0.9, 0.9], Side((0.98, 0.981), (1.0,)))
        assert (verdict.suggest, verdict.target, verdict.more) == ("replicate", "incumbent", 2)
        assert verdict.near_miss
        assert "2 fresh runs are due" in verdict.why

    def test_stands_on_its_selecting_runs_for_discards_until_then(self):
        verdict = lower([0.99], Side((0.98, 0.981), ()))
        assert verdict.suggest == "discard"
        assert verdict.gain == pytest.approx(-0.0095)

    def test_needs_no_fresh_runs_when_it_is_a_baseline_of_one(self):
        assert Side((), (1.0,)).missing(Policy()) == 0


class TestWithoutNoise:
    @pytest.mark.parametrize(
        ("value", "lines", "suggest", "reason"),
        [
            (0.9, 1, "keep", "better"),
            (1.1, -9, "discard", "worse"),
            (1.0, 0, "discard", "worse"),
            (1.0, -1, "keep", "simpler"),
        ],
    )
    def test_the_sign_decides_and_the_reader_is_told_so(self, value, lines, suggest, reason):
        verdict = lower([value], Side((), (1.0,)), None, lines_changed=lines)
        assert (verdict.suggest, verdict.reason) == (suggest, reason)
        assert verdict.why.endswith("noise unknown: lab run --baseline --seeds 3")
        assert (verdict.se, verdict.noise, verdict.p_better) == (None, None, None)

    def test_a_kept_incumbent_still_comes_first(self):
        verdict = lower([0.9], Side((1.0,), ()), None)
        assert (verdict.suggest, verdict.target, verdict.more) == ("replicate", "incumbent", 3)


class TestAConstantMetric:
    NOISE = Noise(0.0, 4)

    def test_keeps_any_gain_that_repeats(self):
        assert lower([0.9], noise=self.NOISE).suggest == "replicate"
        assert lower([0.9, 0.9], noise=self.NOISE).suggest == "keep"

    def test_discards_the_same_number_unless_it_takes_fewer_lines(self):
        same = Side((), (0.1, 0.1, 0.1))
        verdict = lower([0.1, 0.1], same, self.NOISE)
        assert (verdict.suggest, verdict.p_better, verdict.near_miss) == ("discard", 0.0, False)
        assert verdict.why == "no difference; every repeat so far gave the same number"
        assert lower([0.1, 0.1], same, self.NOISE, lines_changed=-1).reason == "simpler"


class TestFewerLines:
    KNOWN = Noise(0.0016, 40)
    SIX = Side((), (1.0,) * 6)

    def test_are_kept_when_they_hardly_cost_anything(self):
        values = [0.9995] * 6
        assert lower(values, self.SIX, self.KNOWN).suggest == "discard"
        verdict = lower(values, self.SIX, self.KNOWN, lines_changed=-3)
        assert (verdict.suggest, verdict.reason) == ("keep", "simpler")

    def test_do_not_excuse_a_loss_as_large_as_the_noise(self):
        assert lower([1.0016] * 6, self.SIX, self.KNOWN, lines_changed=-3).suggest == "discard"

    def test_are_no_reason_when_lines_were_added(self):
        assert lower([0.9995] * 6, self.SIX, self.KNOWN, lines_changed=3).suggest == "discard"


def test_a_run_without_a_metric_is_a_crash():
    assert (failed().suggest, failed().reason) == ("crash", "failed")
    assert lower([]) == failed()


def test_without_an_incumbent_there_is_no_gain():
    verdict = lower([1.0], incumbent=None)
    assert (verdict.suggest, verdict.gain) == ("keep", None)
    assert lower([1.0], incumbent=None, broken=["budget"]).reason == "constraint"


def test_the_sentence_tells_gain_errors_noise_and_what_comes_next():
    assert lower([0.9972]).why == (
        "0.0028 better, 1.6 standard errors; noise 0.0016 from 4 repeats; "
        "1 more run of the candidate could settle a gain of 0.00495, and a keep needs 2 runs"
    )


def test_a_number_that_is_not_finite_is_refused_rather_than_compared():
    with pytest.raises(ValueError, match="finite"):
        lower([float("nan")])


@given(
    values=st.lists(st.integers(-50, 50), min_size=1, max_size=6),
    exponent=st.integers(-30, 30),
    direction=st.sampled_from(["minimize", "maximize"]),
)
def test_the_unit_of_the_metric_changes_no_suggestion(values, exponent, direction):
    def at(scale):
        numbers = [v * scale for v in values]
        record = (3 * scale, -4 * scale, 7 * scale)
        return judge(numbers, Side((), record), pool([numbers, record]), direction)

    here, there = at(1.0), at(2.0**exponent)
    assert (here.suggest, here.target, here.more) == (there.suggest, there.target, there.more)
    assert here.p_better == there.p_better


@given(st.lists(st.floats(0.9, 1.1), min_size=1, max_size=6), st.floats(0, 0.1))
def test_a_better_candidate_is_never_judged_worse(values, step):
    order = ["discard", "replicate", "keep"]
    before, after = lower(values), lower([v - step for v in values])
    assert order.index(before.suggest) <= order.index(after.suggest)


@given(st.lists(st.floats(0.99, 1.01), min_size=12, max_size=12))
def test_following_the_suggestions_ends_within_six_runs_of_either_side(numbers):
    draw, ours, theirs = iter(numbers * 3), [0.998], [1.0]
    for _ in range(12):
        verdict = lower(ours, Side((), tuple(theirs)), pool([ours, theirs, [0.998, 1.002]]))
        if verdict.suggest != "replicate":
            break
        side = ours if verdict.target == "candidate" else theirs
        side.extend(next(draw) for _ in range(verdict.more))
    assert verdict.suggest in {"keep", "discard"}
    assert max(len(ours), len(theirs)) <= 6
