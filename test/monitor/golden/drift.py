"""Distances of two sets of counts in the same bins, as numpy and scipy have them.

A case gives counts by slot: missing, below (or new), the bins, above (or other). The hundred bins of a number serve KS and
Wasserstein; the others go over the parts that `coarse` merges them into.
"""

import numpy as np
from scipy.spatial.distance import jensenshannon
from scipy.special import kolmogorov
from scipy.stats import chi2, chi2_contingency, ks_2samp, wasserstein_distance
from scipy.stats.contingency import association

SEED = 20260401
FLOOR = 1e-4


def number(rng, window, baseline=None, n_bins=100, n=5000, m=10000):
    """A case of a number whose bins are quantiles of a lognormal sample; draws are functions of rng and a size."""
    sample = np.sort((baseline or lognormal)(rng, m))
    edges = np.unique(np.quantile(sample, np.linspace(0, 1, n_bins + 1)))
    bins = len(edges) - 1
    centers = [float(sample[(sample >= low) & (sample <= high)].mean()) for low, high in zip(edges[:-1], edges[1:], strict=True)]
    drawn = window(rng, n)

    def counts(values):
        there = values[~np.isnan(values)]
        inside = there[(there >= edges[0]) & (there <= edges[-1])]
        return [int(np.isnan(values).sum()), int((there < edges[0]).sum()), *map(int, np.histogram(inside, edges)[0]), int((there > edges[-1]).sum())]

    return {
        'kind': 'number',
        'low': float(edges[0]),
        'high': float(edges[-1]),
        'edges': [float(e) for e in edges[1:-1]],
        'centers': centers,
        'coarse': [int(b * 10 // max(bins, 10)) + 1 if bins > 10 else b + 1 for b in range(bins)],
        'baseline': counts(sample),
        'window': counts(drawn),
    }


def category(baseline, window):
    categories = [f'c{n}' for n in range(len(baseline) - 3)]
    return {'kind': 'category', 'categories': categories, 'baseline': baseline, 'window': window}


def lognormal(rng, n):
    return rng.lognormal(0, 1, n)


def holes(rng, n):
    return np.where(rng.random(n) < 0.2, np.nan, rng.lognormal(0, 1, n))


def drift_cases():
    rng = np.random.default_rng(SEED)
    fifty = rng.multinomial(20000, rng.dirichlet(np.ones(50)))
    again = rng.multinomial(3000, rng.dirichlet(np.ones(50)))
    return {
        'same': number(rng, lognormal),
        'shifted': number(rng, lambda rng, n: rng.lognormal(0.5, 1, n)),
        'wider': number(rng, lambda rng, n: rng.lognormal(0, 1.5, n)),
        'missing': number(rng, holes),
        'outside': number(rng, lambda rng, n: rng.normal(0, 30, n)),
        'all above': number(rng, lambda rng, n: np.full(n, 1e6)),
        'ten bins': number(rng, lambda rng, n: rng.lognormal(0.1, 1, n), n_bins=10),
        'few rows': number(rng, lognormal, n=7),
        'one row': number(rng, lognormal, n=1),
        'integers': number(rng, lambda rng, n: rng.poisson(3.4, n).astype(float), lambda rng, n: rng.poisson(3, n).astype(float)),
        'all missing': number(rng, lambda rng, n: np.full(n, np.nan)),
        'colours': category([0, 0, 500, 300, 200, 0], [0, 0, 450, 350, 200, 0]),
        'a new colour': category([10, 0, 500, 300, 200, 0], [0, 120, 300, 280, 0, 0]),
        'others': category([5, 0, 5000, 3000, 2000, 400], [80, 7, 700, 200, 0, 90]),
        'fifty': category([0, 0, *map(int, fifty), 30], [3, 2, *map(int, again), 9]),
        'billions': category([0, 0, 5_000_000_000, 3_000_000_001, 7, 0], [0, 0, 5_000_000_000, 2_900_000_000, 11, 0]),
    }


def parts(case, counts):
    if case['kind'] == 'number':
        coarse = np.zeros(max(case['coarse'], default=0), dtype=np.int64)
        np.add.at(coarse, np.asarray(case['coarse']) - 1, counts[2:-1])
        return np.array([counts[0], counts[1], *coarse, counts[-1]])
    return np.array([counts[0], *counts[2:-1], counts[1] + counts[-1]])


def stability_terms(w, b, floor=FLOOR):
    w, b = w / w.sum(), b / b.sum()
    there = (w > 0) | (b > 0)
    w, b = (np.where(x[there] == 0, floor, x[there]) for x in (w, b))
    return (w - b) * np.log(w / b)


def stability(w, b, floor=FLOOR):
    return stability_terms(w, b, floor).sum()


def noise_limit(n, m, bins, told, few):
    degrees = min(bins - 1, max(1, told - 1))
    return (1 / n + 1 / m) * ((chi2.ppf(0.995, degrees) if degrees > 0 else 0) + 3 * np.minimum(1, 1 / few).sum())


def distances(case):
    window, baseline = np.array(case['window']), np.array(case['baseline'])
    w, b = parts(case, window), parts(case, baseline)
    there = (w > 0) | (b > 0)
    n, m, bins = w.sum(), b.sum(), int(there.sum())
    table = np.array([w[there], b[there]])
    gaps = np.abs(w / n - b / m)
    alone = there & (w * b == 0) & (w * np.log((n + m) / n) + b * np.log((n + m) / m) < np.log(1000))
    told = there & ~alone
    few = (w + b)[told] * min(n, m) / (n + m)
    values = {
        'n': n,
        'n_baseline': m,
        'psi': stability(w, b),
        'psi_noise_limit': noise_limit(n, m, bins, told.sum(), few) + stability_terms(w, b)[alone[there]].sum(),
        'js_distance_base2': jensenshannon(b / m, w / n, 2),
        'tv_distance': gaps.sum() / 2,
        'l_infinity_distance': gaps.max(),
        'chi2_statistic': chi2_contingency(table, correction=False).statistic,
        'chi2_p_value': chi2.sf(chi2_contingency(table, correction=False).statistic, bins - 1) if bins > 1 else None,
        'cramers_v': association(table, method='cramer'),
        'missing_rate': window[0] / n,
        'missing_rate_delta': window[0] / n - baseline[0] / m,
    }
    if case['kind'] == 'category':
        return {**values, 'new_category_rate': window[1] / n, 'ks_statistic': None, 'ks_p_value': None, 'wasserstein_normed': None, 'out_of_range_rate': None}
    at = np.array([case['low'], *case['centers'], case['high']])
    values |= {'out_of_range_rate': (window[1] + window[-1]) / n, 'new_category_rate': None}
    if window[1:].sum() == 0:
        return {**values, 'ks_statistic': None, 'ks_p_value': None, 'wasserstein_normed': None}
    mean = np.average(at, weights=baseline[1:])
    spread = np.sqrt(np.average((at - mean) ** 2, weights=baseline[1:]))
    before, after = baseline[1:].sum(), window[1:].sum()
    gap = ks_2samp(np.repeat(at, baseline[1:]), np.repeat(at, window[1:]), method='asymp').statistic
    return {
        **values,
        'ks_statistic': gap,
        'ks_p_value': kolmogorov(gap * np.sqrt(before * after / (before + after))),
        'wasserstein_normed': wasserstein_distance(at, at, window[1:], baseline[1:]) / max(spread, 0.001),
    }


def p_values():
    """Tail probabilities: of chi-squared by statistic and degrees of freedom; of Kolmogorov's distribution by its argument."""
    statistics = [1e-200, 1e-9, 0.01, 0.5, 1, 3, 7.9, 8.1, 25, 90, 400, 1300]
    arguments = [1e-9, 0.03, 0.05, 0.1, 0.3, 0.7, 0.999, 1, 1.001, 1.5, 3, 8, 18]
    return {
        'chi2': [[x, degrees, float(chi2.sf(x, degrees))] for degrees in (1, 2, 3, 4, 11, 12, 51, 60) for x in statistics],
        'kolmogorov': [[x, float(kolmogorov(x))] for x in arguments],
    }
