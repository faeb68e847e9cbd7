"""Two versions over the same rows, and the interval of their difference as if the samples were independent.

The interval is made of those of both values (Zou and Donner 2008): of Wilson's with continuity correction, Newcombe's method 11.
"""

import numpy as np
from sklearn import metrics

from intervals import of_auc, of_errors, wilson
from sets import SEED, widened


def f1_interval(hits, n):
    low, high = wilson(hits, n)
    return 2 * low / (1 + low), 2 * high / (1 + high)


def binary_values(scores, truth):
    said = scores >= 0.5
    tp, fp, fn = (said & truth).sum(), (said & ~truth).sum(), (~said & truth).sum()
    n = len(truth)
    return {
        'accuracy': (metrics.accuracy_score(truth, said), *wilson((said == truth).sum(), n), n),
        'precision_score': (metrics.precision_score(truth, said), *wilson(tp, tp + fp), tp + fp),
        'recall_score': (metrics.recall_score(truth, said), *wilson(tp, tp + fn), tp + fn),
        'f1_score': (metrics.f1_score(truth, said), *f1_interval(tp, tp + fp + fn), tp + fp + fn),
        'roc_auc': (metrics.roc_auc_score(truth, scores), *of_auc(truth.astype(int), scores), n),
    }


def regression_values(predicted, truth):
    n, error = len(truth), predicted - truth
    of_mae, of_rmse = of_errors(error)
    return {'mae': (np.abs(error).mean(), *of_mae, n), 'rmse': ((error**2).mean() ** 0.5, *of_rmse, n)}


def compared(a, b, lower_is_better):
    golden = {}
    for name, (value, low, high, n) in a.items():
        other, other_low, other_high, other_n = b[name]
        difference = value - other
        ci_low = difference - np.hypot(value - low, other_high - other)
        ci_high = difference + np.hypot(high - value, other - other_low)
        up, down = ('worse', 'better') if lower_is_better else ('better', 'worse')
        verdict = up if ci_low > 0 else down if ci_high < 0 else 'no_difference'
        golden[name] = {
            'value_a': value,
            'value_b': other,
            'difference': difference,
            'ci_low': ci_low,
            'ci_high': ci_high,
            'n_a': int(n),
            'n_b': int(other_n),
            'verdict': verdict if min(n, other_n) >= 30 else 'insufficient_data',
        }
    return {name: {k: v if isinstance(v, (int, str)) else float(v) for k, v in g.items()} for name, g in golden.items()}


def days():
    """Both versions score the first and the third day; the second only the older one; on the fourth the labels are late."""
    return [
        {'date': '2026-03-02', 'both': True, 'late': 0},
        {'date': '2026-03-03', 'both': False, 'late': 0},
        {'date': '2026-03-04', 'both': True, 'late': 0},
        {'date': '2026-03-05', 'both': True, 'late': 40},
    ]


def case(task, draw, values, lower_is_better, rows):
    rng = np.random.default_rng(SEED + len(task))
    drawn = [draw(rng, rows) for _ in days()]
    shared = [d for d, day in zip(drawn, days(), strict=True) if day['both'] and not day['late']]
    older, newer, truth = (np.concatenate([d[n] for d in shared]) for n in range(3))
    return {
        'task': task,
        'rows': rows,
        'days': [
            day | {'older': o.tolist(), 'newer': n.tolist(), 'truth': t.tolist()}
            for day, (o, n, t) in zip(days(), drawn, strict=True)
        ],
        'golden': compared(values(newer, truth), values(older, truth), lower_is_better),
    }


def drawn_scores(rng, n):
    grid = (2 * np.arange(5, 495) + 0.5) / 1000
    signal = rng.random(n)
    place = lambda noise: np.clip((490 * (signal + rng.normal(0, noise, n))).astype(int), 0, 489)
    return grid[place(0.4)], grid[place(0.05)], rng.random(n) < signal


def drawn_values(rng, n):
    truth = widened(rng.normal(20, 5, n))
    return widened(truth + rng.normal(0, 3, n)), widened(truth + rng.normal(0, 2, n)), truth


def comparison():
    return {
        'cases': [
            case('binary', drawn_scores, binary_values, False, 150),
            case('regression', drawn_values, regression_values, True, 100),
            # Too few to tell.
            case('regression', drawn_values, regression_values, True, 12),
        ]
    }
