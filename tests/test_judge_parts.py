"""The parts of judging: Student's t, noise, pairs, the policy of leaf.toml, audits."""

import math

import pytest
from scipy import stats

from lab.judge import (
    Noise,
    Policy,
    conclude,
    correlation,
    due,
    pool,
    student_cdf,
    student_quantile,
    turns,
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


class TestThePolicyOfALeaf:
    def test_sets_what_it_names_and_leaves_the_rest(self):
        policy = Policy.from_table({"keep_at": 1.5, "bag": 0})
        assert (policy.keep_at, policy.bag, policy.luck) == (1.5, 0, 0.4)

    def test_of_the_strict_rule_takes_less_luck_off_unless_told(self):
        assert Policy.from_table({"rule": "strict"}).luck == 0.3
        assert Policy.from_table({"rule": "strict", "luck": 0.5}).luck == 0.5

    @pytest.mark.parametrize(
        ("table", "sentence"),
        [
            ({"kep_at": 0.9}, "[judge] has no setting kep_at; did you mean keep_at?"),
            ({"keep": 0.9}, "[judge] keep is gone with the rule it belonged to: keep_at"),
            (
                {"max_runs": 4},
                '[judge] max_runs is gone with the rule it belonged to: rule = "strict"',
            ),
            ({"rule": "greedy"}, "[judge] rule is 'greedy'; choose audited or strict"),
            ({"keep_at": "high"}, "[judge] keep_at must be a number of at least 0, not 'high'"),
            ({"keep_at": True}, "[judge] keep_at must be a number of at least 0, not True"),
            ({"bag": 2.5}, "[judge] bag must be a whole number of at least 0, not 2.5"),
            ({"audit_runs": 0}, "[judge] audit_runs must be a whole number of at least 2, not 0"),
            ({"luck": -1}, "[judge] luck must be a number of at least 0, not -1"),
        ],
    )
    def test_refuses_nonsense_with_a_sentence(self, table, sentence):
        with pytest.raises(ValueError) as refusal:  # noqa: PT011  the whole sentence follows
            Policy.from_table(table)
        assert str(refusal.value) == sentence


class TestPairs:
    def test_are_known_by_the_spread_of_differences_and_doubted_while_few(self):
        one, other = {0: 1.0, 1: 3.0, 2: 2.0}, {0: 1.1, 1: 3.0, 2: 2.1}
        few, many = (correlation([(one, other)] * n, Noise(1.0, 2)) for n in (1, 20))
        assert 0.45 < few.rho < 0.55
        assert many.rho > 0.9
        assert (few.runs, many.runs) == (3, 60)

    def test_an_audit_of_pairs_tells_a_gain_that_the_seeds_hide(self):
        tip, base = {7: 0.98, 8: 0.88, 9: 0.81}, {7: 1.0, 8: 0.9, 9: 0.832}
        found = {
            rho: conclude(tip, base, Noise(0.09, 8), "minimize", rho=rho) for rho in (0.0, 0.9)
        }
        assert (found[0.0].conclusion, found[0.9].conclusion) == ("open", "confirmed")
        wide = conclude(tip, {7: 1.0, 8: 0.85, 9: 0.9}, Noise(0.09, 8), "minimize", rho=0.9)
        assert wide.conclusion == "open"  # its own differences decide, not what was before

    def test_of_programs_that_share_nothing_are_none(self):
        sides = [({0: 1.0, 1: 3.0, 2: 2.0}, {0: 3.0, 1: 1.0, 2: 2.0})]
        assert correlation(sides, Noise(1.0, 4)).rho == 0.0

    def test_are_unknown_without_equal_seeds_or_noise(self):
        assert correlation([({0: 1.0, 1: 2.0}, {2: 1.0, 3: 2.0})], Noise(1.0, 2)) is None
        assert correlation([({0: 1.0, 1: 2.0}, {0: 1.0, 1: 2.0})], None) is None


def test_of_few_groups_one_unstable_idea_leaves_the_noise_alone():
    steady, wild = [-1.0, 0.0, 1.0], [2.5, -10.0, 400.0]
    assert pool([steady, [0.1, 1.3, -0.7], wild]).sd < 1.1


class TestAnAudit:
    TIP, BASE = {71: 0.97, 72: 0.98, 73: 0.99}, {71: 1.00, 72: 1.01, 73: 1.02}

    def test_takes_turns_that_a_drift_falls_on_alike(self):
        order = turns(3)
        places = {side: [at for at, one in enumerate(order) if one == side] for side in set(order)}
        assert [len(at) for at in places.values()] == [3, 3]
        assert abs(sum(places["tip"]) - sum(places["base"])) <= 1

    @pytest.mark.parametrize(
        ("off", "conclusion"), [(0.0, "confirmed"), (0.02, "open"), (0.04, "back")]
    )
    def test_confirms_only_what_stands_out(self, off, conclusion):
        tip = {seed: value + off for seed, value in self.TIP.items()}
        assert conclude(tip, self.BASE, Noise(0.01, 6), "minimize").conclusion == conclusion

    def test_is_measured_by_its_own_spread_too(self):
        wild = {71: 0.90, 72: 0.98, 73: 1.06}
        assert conclude(self.TIP, self.BASE, Noise(0.001, 50), "minimize").se < 0.003
        assert conclude(wild, self.BASE, Noise(0.001, 4), "minimize").conclusion == "open"

    def test_of_a_constant_metric_claims_every_gain(self):
        found = conclude({1: 1.0, 2: 1.0}, {1: 1.1, 2: 1.1}, None, "minimize")
        assert (found.conclusion, found.se) == ("confirmed", 0.0)

    def test_is_due_far_above_what_was_confirmed_and_not_one_after_the_other(self):
        noise, policy = Noise(0.01, 4), Policy()
        assert due(0.41, noise, policy, runs=40)
        assert not due(0.39, noise, policy, runs=40)
        assert not due(4.00, noise, policy, runs=39)
        assert not due(4.00, None, policy, runs=40)
        assert not due(4.00, noise, Policy(rule="strict"), runs=40)
