"""The sets of rows: random ones and every edge. Scores are float32, widened, as a model gives them."""

import numpy as np

from multiclass import CLASSES

SEED = 20260308


def widened(values):
    return np.asarray(values, dtype=np.float32).astype(np.float64)


def pairs(scores, truth):
    return [[float(p), int(y)] for p, y in zip(widened(scores), truth, strict=True)]


def drawn(rng, scores, strict=False):
    """Truth as the scores have it."""
    return pairs(scores, rng.random(len(scores)) < scores)


def binary_sets():
    rng = np.random.default_rng(SEED)
    rare = np.exp(-rng.exponential(3, 2000) - 2)
    grid, uneven = (2 * rng.integers(5, 495, 300) + 0.5) / 1000, rng.beta(0.4, 0.7, 300)
    return {
        # The first week: at most one score in each bin, so that what comes of bins is exact.
        'thousandths': (drawn(rng, grid), None),
        'ties': (drawn(rng, rng.choice([0.0005, 0.1005, 0.25, 0.5, 0.75, 0.9005, 0.9995], 300)), None),
        'all_tied': (pairs([0.5] * 40, rng.random(40) < 0.3), 'one_class'),
        'perfect': (pairs([0.9005, 0.8005, 0.7005, 0.2005, 0.1005, 0.0505], [1, 1, 1, 0, 0, 0]), None),
        'wrong_way_round': (pairs(grid[:60], rng.random(60) > grid[:60]), None),
        'all_positive': (pairs([0.9005, 0.8005, 0.2005], [1, 1, 1]), 'one_class'),
        'all_negative': (pairs([0.9005, 0.8005, 0.2005], [0, 0, 0]), 'no_positive_labels'),
        # The second week.
        'uneven': (drawn(rng, uneven), None),
        'no_predicted_positives': (pairs(uneven / 2.1, rng.random(300) < uneven / 2), 'no_predicted_positives'),
        'one_in_a_thousand': (pairs(rare, np.arange(2000) % 1000 == np.argmax(rare) % 1000), 'no_predicted_positives'),
        'one_positive': (pairs(rng.random(50), np.arange(50) == 7), None),
        'certain_and_wrong': (pairs([0, 1, 1, 0, 1], [1, 0, 1, 0, 1]), None),
        'faint': (pairs(rng.random(50) * 1e-6, [0] * 50), 'no_positive_labels'),
        'empty': ([], 'no_labels'),
        # The third.
        'one_row': (pairs([0.75], [1]), 'one_class'),
    }


def probabilities(rng, n):
    logits = rng.normal(0, 1.5, (n, len(CLASSES)))
    return widened(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))


def judged(rng, p, truth=None):
    if truth is None:
        truth = [rng.choice(CLASSES, p=q / q.sum()) for q in p]
    return [[str(t), CLASSES[int(np.argmax(q))], q.tolist()] for t, q in zip(truth, p, strict=True)]


def said(truth, classes):
    sure = {'a': [0.75, 0.125, 0.125], 'b': [0.125, 0.75, 0.125], 'c': [0.125, 0.125, 0.75]}
    return [[t, s, sure[s]] for t, s in zip(truth, classes, strict=True)]


def tied(rng, n):
    p = rng.choice([[0.5, 0.3, 0.2], [0.2, 0.6, 0.2], [0.34, 0.33, 0.33], [0.25, 0.25, 0.5], [0.1, 0.45, 0.45]], n)
    return widened(p)


def multiclass_sets():
    rng = np.random.default_rng(SEED)
    return {
        'random': (judged(rng, probabilities(rng, 300)), None),
        'absent_class': (judged(rng, probabilities(rng, 100), rng.choice(['a', 'b'], 100)), None),
        'stranger_said': (said('aabb', 'acbb'), None),
        'one_class': (said('aaa', 'aba'), 'one_class'),
        'perfect': (said('abcabc', 'abcabc'), None),
        'one_class_said': (said('aabb', 'cccc'), 'one_class'),
        'one_class_and_right': (said('bb', 'bb'), 'one_class'),
        'never_said_and_zero': (
            [['a', 'b', [0.0, 1.0, 0.0]], ['b', 'b', [0.0, 1.0, 0.0]], ['b', 'a', [1.0, 0.0, 0.0]]],
            None,
        ),
        'empty': ([], 'no_labels'),
        'tied': (judged(rng, tied(rng, 300)), None),
    }


def measured(predictions, truth):
    return [[float(p), float(y)] for p, y in zip(predictions, truth, strict=True)]


def regression_sets():
    rng = np.random.default_rng(SEED)
    truth = widened(rng.normal(20, 30, 300))
    counts = rng.poisson(1, 200).astype(float)
    # Values a million times their spread: a sum of squares in one pass of float8 gives R² > 1.
    far = 1e7 + rng.uniform(-1, 1, 400)
    far_whole = 1e7 + rng.integers(-1, 2, 301).astype(float)
    return {
        'random': (measured(widened(truth + rng.normal(0, 5, 300)), truth), None),
        'constant_target': (measured(widened(rng.normal(3, 1, 16)), [3.0] * 16), 'constant_target'),
        'zeros': (measured(widened(counts + rng.normal(0, 0.5, 200)), counts), None),
        'one_row': (measured([2.5], [2.0]), 'constant_target'),
        'all_zero': (measured([0.5, 0.0, -0.25], [0, 0, 0]), 'constant_target'),
        'perfect': (measured([1, 2, 4, 8], [1, 2, 4, 8]), None),
        'empty': ([], 'no_labels'),
        'far_from_zero': (measured(far + rng.normal(0, 0.25, 400), far), None),
        'far_and_whole': (measured(far_whole + rng.integers(-1, 2, 301) / 4, far_whole), None),
        'small': (measured(rng.normal(0, 1e-9, 50), rng.normal(0, 1e-9, 50)), None),
        'even_and_few': (measured([1, 2, 3, 14], [0, 0, 1, 4]), None),
        'large': (measured(rng.normal(0, 1e12, 50), rng.normal(0, 1e12, 50)), None),
    }
