"""The parts of judging: Student's t, noise, the policy of leaf.toml, and the board's gain."""

import math

import pytest
from scipy import stats

from lab.judge import (
    Kept,
    Noise,
    Policy,
    Side,
    claimed_gain,
    expected_gain,
    pool,
    student_cdf,
    student_quantile,
)

DEGREES = [0.5, 1, 2, 4, 30, 1000, 1e6, 1e8, math.inf]


@pytest.mark.parametrize("df", DEGREES)
def test_student_agrees_with_scipy_at_every_distance(df):
    for t in [-1e6, -40, -3.5, -1, -1e-9, 0, 1e-3, 0.7, 2, 8, 1e6]:
        assert student_cdf(t, df) == pytest.approx(stats.t.cdf(t, df), rel=1e-6, abs=5e-9)


@pytest.mark.parametrize("df", DEGREES)
def test_the_quantile_agrees_with_scipy(df):
    for p in [0.01, 0.3, 0.5, 0.75, 0.993]:
        assert student_quantile(p, df) == pytest.approx(stats.t.ppf(p, df), rel=1e-6, abs=1e-8)


def test_student_at_the_ends_and_beyond():
    assert (student_cdf(math.inf, 3), student_cdf(-math.inf, 3)) == (1.0, 0.0)
    assert student_cdf(-1e200, 4) == 0.0
    with pytest.raises(ValueError, match="degrees of freedom"):
        student_cdf(1.0, 0)
    with pytest.raises(ValueError, match="between 0 and 1"):
        student_quantile(1.0, 4)


class TestNoise:
    def test_pools_the_spread_within_experiments_and_not_between_them(self):
        assert pool([[1.0, 3.0], [100.0, 102.0], [7.0]]) == Noise(pytest.approx(2**0.5), 2)

    def test_is_unknown_without_a_repeat(self):
        assert pool([]) is None
        assert pool([[1.0], [2.0]]) is None

    def test_of_the_same_number_twice_is_exactly_zero(self):
        assert pool([[0.1, 0.1, 0.1]]) == Noise(0.0, 2)

    @pytest.mark.parametrize("scale", [1e-300, 1e-10, 1e10, 1e300])
    def test_keeps_its_digits_at_any_scale(self, scale):
        assert pool([[1.0 * scale, 3.0 * scale]]).sd == pytest.approx(2**0.5 * scale)


class TestARecord:
    def test_is_all_runs_until_there_are_enough_fresh_ones(self):
        assert Side((1.0, 1.0), (3.0,)).record(Policy()) == (1.0, 1.0, 3.0)
        assert Side((1.0, 1.0), (3.0,)).record(Policy(fresh_runs=1)) == (3.0,)


class TestThePolicyOfALeaf:
    def test_sets_what_it_names_and_leaves_the_rest(self):
        policy = Policy.from_table({"keep": 0.95, "max_runs": 4})
        assert (policy.keep, policy.max_runs, policy.keep_runs) == (0.95, 4, 2)

    @pytest.mark.parametrize(
        ("table", "sentence"),
        [
            ({"kep": 0.9}, "[judge] has no setting kep; did you mean keep?"),
            ({"keep": 1.5}, "[judge] keep is a probability between 0 and 1, not 1.5"),
            ({"keep": "high"}, "[judge] keep is a probability between 0 and 1, not 'high'"),
            ({"keep": True}, "[judge] keep is a probability between 0 and 1, not True"),
            (
                {"max_runs": 2.5},
                "[judge] max_runs must be a whole number of at least 1, not 2.5",
            ),
            ({"keep_runs": 7}, "[judge] keep_runs = 7 is above max_runs = 6"),
            ({"keep": 0.6}, "[judge] keep = 0.6 must be above both discard thresholds"),
            (
                {"simpler_margin": -1},
                "[judge] simpler_margin must be a number of at least 0, not -1",
            ),
        ],
    )
    def test_refuses_nonsense_with_a_sentence(self, table, sentence):
        with pytest.raises(ValueError) as refusal:  # noqa: PT011  the whole sentence follows
            Policy.from_table(table)
        assert str(refusal.value) == sentence


class TestTheBoard:
    def test_believes_fresh_runs_as_they_are(self):
        chain = [Kept(4.0, 1.0, looks=9, fresh=3.0), Kept(2.0, 1.0, looks=50, fresh=-0.5)]
        assert claimed_gain(chain) == 6.0
        assert expected_gain(chain) == 2.5

    def test_takes_more_off_a_gain_the_more_looks_it_took(self):
        expected = [expected_gain([Kept(2.5, 1.0, looks)]) for looks in (1, 10, 100)]
        assert 2.5 > expected[0] > expected[1] > expected[2] > 0

    def test_leaves_a_gain_far_beyond_the_noise_almost_alone(self):
        assert expected_gain([Kept(50.0, 1.0, looks=1000)]) == pytest.approx(50, rel=0.001)

    def test_expects_nothing_of_a_gain_inside_its_error(self):
        assert expected_gain([Kept(0.9, 1.0, looks=1)]) == 0.0

    def test_takes_the_luck_of_a_row_of_unmeasured_keeps_off_once(self):
        row = [Kept(1.0, 1.0, looks=5)] * 10
        assert 7.5 < expected_gain(row) < 10
        assert expected_gain(row[:1]) == 0.0

    def test_of_no_keeps_or_a_constant_metric_is_what_was_claimed(self):
        assert expected_gain([]) == 0.0
        assert expected_gain([Kept(2.0, 0.0, looks=8)]) == 2.0
