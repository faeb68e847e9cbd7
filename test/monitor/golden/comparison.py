"""Two versions over the labels that judge both, and the interval of their difference.

The interval is made of those of both values and of their correlation (Zou 2007; Newcombe 1998, method 10, for shares). Each value is
a mean of what its labels add to it; the correlation is that of what the entities add, less 1 / sqrt(n). That of ROC AUC leaves open,
too, what DeLong, DeLong and Clarke-Pearson 1988 do.
"""

import numpy as np
from sklearn import metrics

from intervals import Z, auc_interval, delong_error, mean_interval, t_quantile, wilson_bounds
from sets import SEED, widened


def by_entity(entities, values):
    return np.array([values[entities == entity].sum() for entity in np.unique(entities)])


def kish(m):
    return m.sum() ** 2 / (m**2).sum()


def effective(m, hits):
    """Kish 1965 where too little is known of the outcomes, else Rao and Scott 1992."""
    n, p, of_kish = m.sum(), hits.sum() / m.sum(), kish(m)
    if (m <= 1).all() or of_kish * min(p, 1 - p) < 30:
        return of_kish
    deff = of_kish / (of_kish - 1) * ((hits - p * m) ** 2).sum() / (n * p * (1 - p))
    return n / max(1, deff) * (Z / t_quantile(of_kish - 1)) ** 2


def share(entities, value, hits, among):
    """A share of the rows that are among its denominator."""
    m, c = by_entity(entities, among.astype(float)), by_entity(entities, (hits & among).astype(float))
    n_effective = effective(m, c)
    interval = wilson_bounds(c.sum() / m.sum(), n_effective)
    return {'value': value, 'interval': interval, 'n': m.sum(), 'n_effective': n_effective, 'adds': c - c.sum() / m.sum() * m}


def of_f1(one):
    """F1 is 2q / (1 + q) with q = TP / (TP + FP + FN), and rises with q."""
    return one | {'interval': tuple(2 * bound / (1 + bound) for bound in one['interval'])}


def ranking(entities, truth, scores):
    wins = (scores[truth][:, None] > scores[~truth][None, :]) + 0.5 * (scores[truth][:, None] == scores[~truth][None, :])
    auc, pos, neg = wins.mean(), kish(by_entity(entities, truth.astype(float))), kish(by_entity(entities, (~truth).astype(float)))
    beats, loses = wins.mean(axis=1), wins.mean(axis=0)
    adds = np.zeros(len(truth))
    adds[truth], adds[~truth] = (beats - auc) / truth.sum(), (loses - auc) / (~truth).sum()
    return {
        'value': auc,
        'interval': auc_interval(auc, pos, neg, beats.var(), loses.var()),
        'error': delong_error(pos, neg, beats.var(), loses.var()),
        'n': len(truth),
        'n_effective': pos + neg,
        'adds': by_entity(entities, adds),
    }


def binary_values(entities, scores, truth):
    said, every = scores >= 0.5, np.full(len(truth), True)
    return {
        'accuracy': share(entities, metrics.accuracy_score(truth, said), said == truth, every),
        'precision_score': share(entities, metrics.precision_score(truth, said), truth, said),
        'recall_score': share(entities, metrics.recall_score(truth, said), said, truth),
        'f1_score': of_f1(share(entities, metrics.f1_score(truth, said), said & truth, said | truth)),
        'roc_auc': ranking(entities, truth, scores),
    }


def regression_values(entities, predicted, truth):
    error = predicted - truth
    m = by_entity(entities, np.ones(len(truth)))

    def mean(values, root, factor, extra):
        low, high = mean_interval(values, kish(m), factor, extra)
        return {
            'value': root(values.mean()),
            'interval': (root(low), root(high)),
            'n': len(values),
            'n_effective': kish(m),
            'adds': by_entity(entities, values - values.mean()),
        }

    return {'mae': mean(np.abs(error), float, 1.1, 4), 'rmse': mean(error**2, np.sqrt, 2, 25)}


def correlation(a, b):
    spread = ((a['adds'] ** 2).sum() * (b['adds'] ** 2).sum()) ** 0.5
    found = (a['adds'] * b['adds']).sum() / spread if spread > 0 else 0
    return max(0, found - min(a['n_effective'], b['n_effective']) ** -0.5) if found > 0 else found


def compared(a, b, lower_is_better):
    golden = {}
    for name, one in a.items():
        other = b[name]
        (value, (low, high)), (other_value, (other_low, other_high)) = ((x['value'], x['interval']) for x in (one, other))
        difference, r = value - other_value, correlation(one, other)
        margin = lambda x, y: (x**2 - 2 * r * x * y + y**2) ** 0.5
        least = Z * margin(one.get('error', 0), other.get('error', 0))
        ci_low = difference - max(least, margin(value - low, other_high - other_value))
        ci_high = difference + max(least, margin(high - value, other_value - other_low))
        up, down = ('worse', 'better') if lower_is_better else ('better', 'worse')
        verdict = up if ci_low > 0 else down if ci_high < 0 else 'no_difference'
        golden[name] = {
            'value_a': value,
            'value_b': other_value,
            'difference': difference,
            'ci_low': ci_low,
            'ci_high': ci_high,
            'n_a': int(one['n']),
            'n_b': int(other['n']),
            'verdict': verdict if min(one['n'], other['n']) >= 30 else 'insufficient_data',
        }
    return {name: {k: v if isinstance(v, (int, str)) else float(v) for k, v in g.items()} for name, g in golden.items()}


def days():
    """Both versions score all days but the second, which only the older one does; on the fourth some labels are late."""
    return [
        {'date': '2026-03-02', 'both': True, 'late': 0},
        {'date': '2026-03-03', 'both': False, 'late': 0},
        {'date': '2026-03-04', 'both': True, 'late': 0},
        {'date': '2026-03-05', 'both': True, 'late': 40},
    ]


def case(task, draw, values, lower_is_better, rows, same_entities=False):
    rng = np.random.default_rng(SEED + len(task))
    drawn = [draw(rng, rows) for _ in days()]
    shared = [d for d, day in zip(drawn, days(), strict=True) if day['both']]
    older, newer, truth = (np.concatenate([d[n] for d in shared]) for n in range(3))
    entities = np.tile(np.arange(rows), len(shared)) if same_entities else np.arange(len(truth))
    return {
        'task': task,
        'rows': rows,
        'sameEntities': same_entities,
        'days': [
            day | {'older': o.tolist(), 'newer': n.tolist(), 'truth': t.tolist()}
            for day, (o, n, t) in zip(days(), drawn, strict=True)
        ],
        'golden': compared(values(entities, newer, truth), values(entities, older, truth), lower_is_better),
    }


def drawn_scores(rng, n):
    grid = (2 * np.arange(5, 495) + 0.5) / 1000
    signal = rng.random(n)
    place = lambda noise: np.clip((490 * (signal + rng.normal(0, noise, n))).astype(int), 0, 489)
    return grid[place(0.4)], grid[place(0.05)], rng.random(n) < signal


def drawn_hidden(rng, n):
    """One row in ten is positive. The newer version finds all of them; to the older one some look like negatives."""
    grid, truth = (2 * np.arange(5, 495) + 0.5) / 1000, np.arange(n) % 10 == 0
    scores = lambda hidden: grid[rng.integers(0, 200, n) + 250 * (truth & (rng.random(n) >= hidden))]
    return scores(0.1), scores(0), truth


def drawn_values(rng, n):
    truth = widened(rng.normal(20, 5, n))
    return widened(truth + rng.normal(0, 3, n)), widened(truth + rng.normal(0, 2, n)), truth


def comparison():
    return {
        'cases': [
            case('binary', drawn_scores, binary_values, False, 150),
            case('binary', drawn_scores, binary_values, False, 100, same_entities=True),
            # DeLong decides, of ROC AUC.
            case('binary', drawn_hidden, binary_values, False, 100),
            case('regression', drawn_values, regression_values, True, 100),
            case('regression', drawn_values, regression_values, True, 60, same_entities=True),
            # Too few to tell.
            case('regression', drawn_values, regression_values, True, 8),
        ]
    }
