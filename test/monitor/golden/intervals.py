"""Intervals that several tasks share."""

import numpy as np
from scipy import stats

Z = stats.norm.ppf(0.975)


def wilson(hits, n):
    """With continuity correction: Newcombe 1998, method 4."""
    if n == 0:
        return None, None
    interval = stats.binomtest(int(hits), int(n)).proportion_ci(method='wilsoncc')
    return interval.low, interval.high


def wilson_bounds(p, n):
    """The same of a share of n that need be no whole number."""
    hits, missed = p * n, (1 - p) * n
    bound = lambda x, side: (x + Z**2 / 2 + side * Z * (x * (1 - x / n) + Z**2 / 4) ** 0.5) / (n + Z**2)
    return 0 if hits <= 0.5 else bound(hits - 0.5, -1), 1 if missed <= 0.5 else bound(hits + 0.5, 1)


def of_f1(hits, wrong):
    """F1 is 2q / (1 + q) with q = TP / (TP + FP + FN), and rises with q."""
    low, high = wilson(hits, hits + wrong)
    return (None, None) if low is None else (2 * low / (1 + low), 2 * high / (1 + high))


def of_mean(values, factor, extra):
    """Of the mean of values that are not negative: on the log scale, the upper bound wider by a factor and by extra / (n - 1)."""
    if len(values) < 2 or values.mean() == 0:
        return None, None
    return mean_interval(values, len(values), factor, extra)


def mean_interval(values, n, factor, extra):
    """The same of values that tell as much as n."""
    mean = values.mean()
    error = values.std() / mean / (n - 1) ** 0.5
    return mean * np.exp(-Z * error), mean * np.exp(factor * Z * error + extra / (n - 1))


def of_errors(error):
    """Those of MAE and RMSE."""
    squared = of_mean(error**2, 2, 25)
    return of_mean(np.abs(error), 1.1, 4), tuple(bound and bound**0.5 for bound in squared)


def t_quantile(degrees):
    """The 97.5 % quantile of Student's t: Abramowitz and Stegun 26.7.5. t_quantiles() says how far it is off."""
    terms = (
        (Z**3 + Z) / 4,
        (5 * Z**5 + 16 * Z**3 + 3 * Z) / 96,
        (3 * Z**7 + 19 * Z**5 + 17 * Z**3 - 15 * Z) / 384,
        (79 * Z**9 + 776 * Z**7 + 1482 * Z**5 - 1920 * Z**3 - 945 * Z) / 92160,
    )
    return Z + sum(term / degrees ** (n + 1) for n, term in enumerate(terms))


def t_quantiles():
    degrees = [2, 3, 4, 5, 7, 9, 14, 29, 58.5, 99, 1000, 1e6]
    return {'t': [[of, float(stats.t.ppf(0.975, of))] for of in degrees]}


def newcombe(auc, pos, neg, quantile):
    """Newcombe 2006, method 5: the roots of (auc - x)^2 = quantile^2 var(x), without its denominators a polynomial."""
    polynomial, half = np.polynomial.Polynomial, (pos + neg) / 2 - 1
    x = polynomial([0, 1])
    spread = (2 - x) * (1 + x) + half * ((1 - x) * (1 + x) + x * (2 - x))
    roots = (pos * neg * (auc - x) ** 2 * (2 - x) * (1 + x) - quantile**2 * x * (1 - x) * spread).roots()
    within = [root.real for root in roots if abs(root.imag) < 1e-9 and -1e-9 <= root.real <= 1 + 1e-9]
    return max(0, min(within)), min(1, max(within))


def of_auc(truth, scores):
    """What Newcombe and DeLong, DeLong and Clarke-Pearson 1988 on the logit scale leave open, with t of the smaller class, from every pair."""
    pos, neg = scores[truth == 1], scores[truth == 0]
    if len(pos) < 2 or len(neg) < 2:
        return None, None
    wins = (pos[:, None] > neg[None, :]) + 0.5 * (pos[:, None] == neg[None, :])
    return auc_interval(wins.mean(), len(pos), len(neg), wins.mean(axis=1).var(), wins.mean(axis=0).var())


def auc_interval(auc, pos, neg, beats_variance, loses_variance):
    """The same of so many positives and negatives that are independent."""
    low, high = newcombe(auc, pos, neg, t_quantile(min(pos, neg) - 1))
    if 0 < auc < 1:
        margin = t_quantile(min(pos, neg) - 1) * delong_error(pos, neg, beats_variance, loses_variance) / auc / (1 - auc)
        logit = np.log(auc / (1 - auc))
        low, high = min(low, 1 / (1 + np.exp(margin - logit))), max(high, 1 / (1 + np.exp(-margin - logit)))
    return low, high


def delong_error(pos, neg, beats_variance, loses_variance):
    return (beats_variance / (pos - 1) + loses_variance / (neg - 1)) ** 0.5
