"""Student's t in the few lines it needs; SciPy would triple the base install.

The distribution function is the regularised incomplete beta function at df / (df + t²), which
Lentz's continued fraction gives to 1e-8 or better (Abramowitz & Stegun 26.5.8 and 26.7.1).
"""

import math
from functools import lru_cache

NORMAL_ABOVE = 1e7  # degrees of freedom beyond which the normal curve differs by less than 1e-8
TINY = 1e-300  # stands in for a zero denominator, as in Lentz's method


def student_cdf(t: float, df: float) -> float:
    """Return P(T <= t) for Student's t with `df` > 0 degrees of freedom.

    >>> student_cdf(0.0, 4)
    0.5
    >>> round(student_cdf(3.7469, 4), 4)
    0.99
    """
    if not df > 0:
        raise ValueError(f"degrees of freedom must be above 0, not {df}")
    if math.isinf(t) or math.isnan(t):
        return t if math.isnan(t) else float(t > 0)
    if df > NORMAL_ABOVE:
        return 0.5 * math.erfc(-t / math.sqrt(2))
    square = t * t
    if square < df:  # the beta function of the nearer end keeps its digits around t = 0
        middle = _beta_share(0.5, df / 2, square / (df + square))
        return 0.5 + math.copysign(middle / 2, t)
    # 1 / (1 + t²/df) rather than df / (df + t²): no overflow for a t of 1e200
    tail = _beta_share(df / 2, 0.5, 1 / (1 + (t / df) * t)) / 2
    return 1 - tail if t > 0 else tail


def fisher_cdf(ratio: float, above: int, below: int) -> float:
    """Return P(F <= ratio) for a ratio of two variances with so many degrees of freedom each.

    >>> round(fisher_cdf(0.0010005, 2, 8), 5)
    0.001
    """
    return _beta_share(above / 2, below / 2, above * ratio / (above * ratio + below))


@lru_cache(maxsize=4096)  # a night asks for the same threshold thousands of times
def student_quantile(p: float, df: float) -> float:
    """Return the t with P(T <= t) = `p`, for 0 < p < 1, by bisection.

    >>> round(student_quantile(0.99, 4), 3)
    3.747
    """
    if not 0 < p < 1:
        raise ValueError(f"a probability lies between 0 and 1, not {p}")
    high = 1.0
    while student_cdf(high, df) < max(p, 1 - p):
        high *= 2
    low = 0.0
    for _ in range(80):  # halves [0, high] below the last bit of a double
        middle = (low + high) / 2
        if student_cdf(middle, df) < max(p, 1 - p):
            low = middle
        else:
            high = middle
    return math.copysign(high, p - 0.5) if p != 0.5 else 0.0


def _beta_share(a: float, b: float, x: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):  # the fraction converges quickly only below this
        return 1 - _beta_share(b, a, 1 - x)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    log_front += a * math.log(x) + b * math.log1p(-x)
    return math.exp(log_front) / a * _beta_fraction(a, b, x)


def _beta_fraction(a: float, b: float, x: float) -> float:
    """Return the continued fraction of the incomplete beta function."""
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1) or TINY)
    value = d
    for m in range(1, 100_000):  # needs about sqrt(max(a, b)) rounds; 5,000 at NORMAL_ABOVE
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / (1 + term * d or TINY)
            c = 1 + term / c or TINY
            value *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return value
