"""Intervals that several tasks share."""

from scipy import stats

Z = stats.norm.ppf(0.975)


def wilson(hits, n):
    if n == 0:
        return None, None
    interval = stats.binomtest(int(hits), int(n)).proportion_ci(method='wilson')
    return interval.low, interval.high
