"""What scikit-learn and numpy say of classifiers of three classes before labels come (CBPE, one against the others)."""

import numpy as np

from binary import EDGES
from estimates import isotonic
from multiclass import CLASSES
from sets import SEED, widened

# Four bins of scores are one of these.
CLASS_EDGES = EDGES[3::4]
MIDDLES = (np.concatenate([[0], CLASS_EDGES]) + np.concatenate([CLASS_EDGES, [1]])) / 2
LEAST = 10


def binned(p):
    return np.searchsorted(CLASS_EDGES, p, side='left')


def learned(p, truth):
    """The share of each class to expect in each bin; of a class of few labels the middle of the bin."""
    shares = []
    for place in range(len(CLASSES)):
        bins, true = binned(p[:, place]), truth == place
        counts = [np.bincount(bins[part], minlength=len(MIDDLES)) for part in (true, ~true)]
        shares.append(isotonic(MIDDLES, *counts) if true.sum() >= LEAST else MIDDLES)
    return np.array(shares)


def estimate(p, shares):
    """From every pair of rows: q of a row and class is the share of the class to expect in the bin of its probability."""
    bins, said = binned(p), p.argmax(axis=1)
    q = np.array([shares[place][bins[:, place]] for place in range(len(CLASSES))]).T
    precision, recall, f1, auc = [], [], [], []
    for place in range(len(CLASSES)):
        of, called = q[:, place], said == place
        tp, fp, fn = of[called].sum(), (1 - of)[called].sum(), of[~called].sum()
        likely = tp + fn >= 0.5
        wins = (bins[:, None, place] > bins[None, :, place]) + 0.5 * (bins[:, None, place] == bins[None, :, place])
        precision += [tp / (tp + fp)] if called.any() else []
        recall += [tp / (tp + fn)] if likely else []
        f1 += [2 * tp / (2 * tp + fp + fn)] if likely or called.any() else []
        auc += [of @ wins @ (1 - of) / (of.sum() * (1 - of).sum())] if likely else []
    return {
        'estimated_accuracy': q[np.arange(len(q)), said].mean(),
        'estimated_precision_score': np.mean(precision),
        'estimated_recall_score': np.mean(recall),
        'estimated_f1_score': np.mean(f1),
        'estimated_roc_auc': np.mean(auc),
    }


def drawn(rng, n, rare):
    """What is true, and probabilities that are surer of it than they should be."""
    logits = rng.normal(0, 1, (n, len(CLASSES))) - [0, 0, rare]
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    claimed = true**3 / (true**3).sum(axis=1, keepdims=True)
    return widened(claimed), np.array([rng.choice(len(CLASSES), p=q) for q in true])


def class_days():
    """A day with labels, one without that has more of the rare class, one on which that class is not to be expected, and all together."""
    rng = np.random.default_rng(SEED + 3)
    labeled, truth = drawn(rng, 600, 5.2)
    unlabeled, _ = drawn(rng, 300, 2)
    without, _ = drawn(rng, 40, 12)
    shares, at_their_word = learned(labeled, truth), np.array([MIDDLES] * len(CLASSES))
    assert 0 < (truth == 2).sum() < LEAST
    days = [
        {
            'date': date,
            'probabilities': p.tolist(),
            'truth': y,
            'as_scored': estimate(p, at_their_word),
            'isotonic': estimate(p, shares),
        }
        for date, p, y in (
            ('2026-03-02', labeled, [CLASSES[place] for place in truth]),
            ('2026-03-03', unlabeled, []),
            ('2026-03-04', without, []),
        )
    ]
    every = np.concatenate([labeled, unlabeled, without])
    return {'days': days, 'whole': [{'as_scored': estimate(every, at_their_word), 'isotonic': estimate(every, shares)}]}
