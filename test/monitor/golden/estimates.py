"""What scikit-learn and numpy say of calibration, and of performance that is estimated without labels (CBPE)."""

import numpy as np
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import roc_auc_score

from binary import EDGES
from sets import SEED, widened

MIDDLES = (np.concatenate([[0], EDGES]) + np.concatenate([EDGES, [1]])) / 2
THRESHOLD = 0.3714


def rows_of(middles, positives, negatives):
    """Rows of a histogram, each with the middle of its bin for a score."""
    x = np.concatenate([np.repeat(middles, positives), np.repeat(middles, negatives)])
    return x, np.concatenate([np.ones(positives.sum()), np.zeros(negatives.sum())])


def isotonic(middles, positives, negatives):
    return IsotonicRegression(out_of_bounds='clip').fit(*rows_of(middles, positives, negatives)).predict(middles)


def calibration_error(probability, truth):
    """Ten groups of as many rows; every row ten times, so that they divide, and ties with the mean of their truth."""
    probability, truth = np.repeat(probability, 10), np.repeat(truth, 10)
    _, group = np.unique(probability, return_inverse=True)
    truth = (np.bincount(group, truth) / np.bincount(group))[group]
    order = np.argsort(probability)
    parts = zip(np.split(probability[order], 10), np.split(truth[order], 10), strict=True)
    return np.mean([abs(p.mean() - y.mean()) for p, y in parts])


def histograms():
    rng = np.random.default_rng(SEED)
    middles = np.sort(rng.random(40))
    rates = {
        'rising': middles,
        'falling': 1 - middles,
        'waving': 0.5 + 0.4 * np.sin(9 * middles),
        'steep': middles**3,
        'level': np.full(40, 0.5),
    }
    for name, rate in rates.items():
        total = rng.integers(0, 30, 40) * (rng.random(40) < 0.7)
        positives = rng.binomial(total, rate)
        yield name, middles, positives, total - positives
    true = np.arange(1, 81, 2)
    yield 'true_to_the_row', true / 80, true, 80 - true
    alone = np.zeros(40, dtype=int)
    alone[17] = 5
    yield 'one_bin', middles, alone, alone // 2
    yield 'apart', middles, np.where(np.arange(40) > 25, 3, 0), np.where(np.arange(40) < 20, 4, 0)


def isotonic_cases():
    return [
        {
            'name': name,
            'middles': middles.tolist(),
            'positives': positives.tolist(),
            'negatives': negatives.tolist(),
            'shares': isotonic(middles, positives, negatives).tolist(),
        }
        for name, middles, positives, negatives in histograms()
    ]


def folded(rng, counts):
    return np.array([rng.multinomial(n, [0.1] * 10) for n in counts]).T


def calibration_cases():
    rng = np.random.default_rng(SEED + 1)
    cases = []
    for name, middles, positives, negatives in histograms():
        if name in ('one_bin', 'apart'):
            continue
        p, n = folded(rng, positives), folded(rng, negatives)
        claimed, calibrated, truth = [], [], []
        for fold in range(10):
            shares = isotonic(middles, positives - p[fold], negatives - n[fold])
            x, y = rows_of(np.arange(40), p[fold], n[fold])
            claimed.append(middles[x.astype(int)])
            calibrated.append(shares[x.astype(int)])
            truth.append(y)
        claimed, calibrated, truth = np.concatenate(claimed), np.concatenate(calibrated), np.concatenate(truth)
        before, after = calibration_error(claimed, truth), calibration_error(calibrated, truth)
        cases.append(
            {
                'name': name,
                'middles': middles.tolist(),
                'folds': [{'positives': a.tolist(), 'negatives': b.tolist()} for a, b in zip(p, n, strict=True)],
                'error': before,
                'needed': bool(before > after and roc_auc_score(truth, claimed) <= 0.999),
            }
        )
    return cases


def estimate(scores, shares):
    """From every pair of rows: q of a row is the share of positives to expect in its bin."""
    bins = np.searchsorted(EDGES, scores, side='left')
    q, called = shares[bins], scores >= THRESHOLD
    tp, fp, fn = q[called].sum(), (1 - q)[called].sum(), q[~called].sum()
    wins = (bins[:, None] > bins[None, :]) + 0.5 * (bins[:, None] == bins[None, :])
    return {
        'estimated_accuracy': np.where(called, q, 1 - q).mean(),
        'estimated_precision_score': tp / (tp + fp),
        'estimated_recall_score': tp / (tp + fn),
        'estimated_f1_score': 2 * tp / (2 * tp + fp + fn),
        'estimated_roc_auc': q @ wins @ (1 - q) / (q.sum() * (1 - q).sum()),
        'estimated_positive_rate': q.mean(),
    }


def estimate_days():
    """A day with labels, whose scores claim too much, and one without, of other scores, and both together. Many lie in the bin of the threshold."""
    rng = np.random.default_rng(SEED + 2)
    near = THRESHOLD + rng.uniform(-0.0004, 0.0006, 40)
    labeled = widened(np.concatenate([rng.beta(0.8, 1, 560), near]))
    unlabeled = widened(np.concatenate([rng.beta(2, 2, 260), near]))
    truth = (rng.random(600) < labeled**2).astype(int)
    bins = np.searchsorted(EDGES, labeled, side='left')
    counts = [np.bincount(bins[truth == y], minlength=len(MIDDLES)) for y in (1, 0)]
    shares = isotonic(MIDDLES, *counts)
    days = [
        {
            'date': date,
            'scores': scores.tolist(),
            'truth': y,
            'as_scored': estimate(scores, MIDDLES),
            'isotonic': estimate(scores, shares),
        }
        for date, scores, y in (('2026-03-02', labeled, truth.tolist()), ('2026-03-03', unlabeled, []))
    ]
    both = np.concatenate([labeled, unlabeled])
    return {'days': days, 'whole': [{'as_scored': estimate(both, MIDDLES), 'isotonic': estimate(both, shares)}]}


def estimates():
    return {'isotonic': isotonic_cases(), 'calibration': calibration_cases(), **estimate_days()}
