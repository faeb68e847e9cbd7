"""Arms of an experiment: differences, standard errors and p-values of statsmodels and scipy.

A difference is a contrast of the regression on all stages and arms; errors are clustered by entity, times G / (G - 1) of G entities.
"""

import numpy as np
import statsmodels.api as sm
from scipy import stats

from sets import SEED, widened

STAGES = 3
EPS = 2.220446049250313e-16


def contrast(stages, other, entities, values):
    """The mean of the arm less that of the other, stage by stage; stages weigh by n m / (n + m)."""
    cells = 2 * stages + other
    design = (cells[:, None] == np.arange(2 * STAGES)[None, :]).astype(float)
    counts = design.sum(axis=0).reshape(STAGES, 2)
    used = counts.min(axis=1) > 0
    weight = np.where(used, counts.prod(axis=1) / counts.sum(axis=1), 0)
    weight = weight / weight.sum()
    keep = used[stages]
    columns = np.repeat(used, 2)
    weights = np.column_stack([weight, -weight]).ravel()[columns]
    fit = sm.OLS(values[keep], design[keep][:, columns]).fit(
        cov_type='cluster', cov_kwds={'groups': entities[keep], 'use_correction': False}, use_t=False
    )
    groups = len(np.unique(entities[keep]))
    found = fit.t_test(weights)
    error = float(found.sd[0, 0]) * (groups / (groups - 1)) ** 0.5
    difference = float(found.effect[0])
    spread = (fit.resid**2).sum() / keep.sum()
    pooled = 0
    for stage in np.flatnonzero(used):
        clusters = entities[stages == stage] * 2 + other[stages == stage]
        sums = [fit.resid[stages[keep] == stage][clusters == one].sum() for one in np.unique(clusters)]
        n, m = counts[stage]
        pooled += weight[stage] ** 2 * np.square(sums).sum() / (n + m) * (1 / n + 1 / m)
    pooled = float(pooled**0.5)
    return {
        'n': int(counts[used, 0].sum()),
        'other_n': int(counts[used, 1].sum()),
        'entities': len(np.unique(entities[keep & (other == 0)])),
        'other_entities': len(np.unique(entities[keep & (other == 1)])),
        'difference': difference,
        'standard_error': error,
        'pooled_error': pooled,
        'n_effective': float(4 * spread / max(error, pooled) ** 2),
        'p_value': float(2 * stats.norm.sf(abs(difference) / error)),
    }


def always_valid(z, n, alpha=0.05, best_at=1000):
    """Waudby-Smith et al. 2024, theorem 2.2 and appendix B.2: its width in standard errors, and the level at which it would end at z."""
    rho2 = (-2 * np.log(alpha) + np.log(-2 * np.log(alpha) + 1)) / best_at
    margin = np.sqrt(2 * (n * rho2 + 1) / (n**2 * rho2) * np.log(np.sqrt(n * rho2 + 1) / alpha))
    level = np.sqrt(n * rho2 + 1) * np.exp(-(z**2) * n * rho2 / (2 * (n * rho2 + 1)))
    return [z, n, float(margin * n**0.5), float(min(1, level))]


def drawn(rng, rows, most_of_entity):
    """Stages with a larger arm each; an entity has several predictions, also of both arms."""
    stages = rng.integers(0, STAGES, rows)
    entities = rng.integers(0, rows // most_of_entity, rows)
    other = (rng.random(rows) >= np.array([0.1, 0.3, 0.5])[stages]).astype(int)
    return stages, entities, other


def binary_case(rng, rows, most_of_entity):
    stages, entities, other = drawn(rng, rows, most_of_entity)
    scores, truth = widened(rng.random(rows)), rng.random(rows)
    truth = truth < 0.2 + 0.6 * scores - 0.05 * stages
    said = scores >= 0.5
    p = np.where(truth, scores, 1 - scores)
    every = np.full(rows, True)
    values = {
        'accuracy': (said == truth, every),
        'precision_score': (said & truth, said),
        'recall_score': (said & truth, truth),
        'brier_score': ((1 - p) ** 2, every),
        'log_loss': (-np.log(np.clip(p, EPS, 1 - EPS)), every),
    }
    return {
        'rows': [
            [int(s), int(o), int(e), float(x), bool(t)] for s, o, e, x, t in zip(stages, other, entities, scores, truth, strict=True)
        ],
        'golden': {
            name: contrast(stages[among], other[among], entities[among], value[among].astype(float))
            for name, (value, among) in values.items()
        },
    }


def regression_case(rng, rows, most_of_entity):
    stages, entities, other = drawn(rng, rows, most_of_entity)
    errors = widened(rng.normal(0.1 * stages, 2 + 0.3 * other, rows))
    golden = {
        'mae': contrast(stages, other, entities, np.abs(errors)),
        'mse': contrast(stages, other, entities, errors**2),
    }
    return {
        'rows': [[int(s), int(o), int(e), float(x), None] for s, o, e, x in zip(stages, other, entities, errors, strict=True)],
        'golden': golden,
    }


def ratios():
    cases = [([100, 900], [0.1, 0.9]), ([130, 870], [0.1, 0.9]), ([5012, 2488, 2500], [0.5, 0.25, 0.25]), ([3, 0], [0.5, 0.5])]
    for counts, shares in cases:
        found = stats.chisquare(counts, np.array(shares) * sum(counts))
        yield {'counts': counts, 'shares': shares, 'statistic': float(found.statistic), 'p_value': float(found.pvalue)}


def experiment():
    rng = np.random.default_rng(SEED + 7)
    return {
        'cases': [
            binary_case(rng, 300, 1),
            binary_case(rng, 240, 4),
            regression_case(rng, 200, 1),
            regression_case(rng, 160, 5),
        ],
        'always_valid': [always_valid(z, n) for z in (0, 0.5, 1.96, 3.1, 5, 40) for n in (1, 12.5, 100, 1000, 1e5, 1e7)],
        'sample_ratios': list(ratios()),
    }
