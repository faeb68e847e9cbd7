"""Intervals that several tasks share."""

from scipy import stats

Z = stats.norm.ppf(0.975)


def wilson(hits, n):
    if n == 0:
        return None, None
    interval = stats.binomtest(int(hits), int(n)).proportion_ci(method='wilson')
    return interval.low, interval.high


def of_f1(hits, wrong):
    """F1 is 2q / (1 + q) with q = TP / (TP + FP + FN), and rises with q."""
    low, high = wilson(hits, hits + wrong)
    return (None, None) if low is None else (2 * low / (1 + low), 2 * high / (1 + high))
