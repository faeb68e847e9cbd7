"""What scikit-learn and scipy say of the curves of a binary classifier: by threshold, and by tenths of the scores."""

import numpy as np
from sklearn import metrics
from sklearn.calibration import calibration_curve

from intervals import wilson


def by_threshold(scores, truth):
    """Called positive is what scores at least the threshold."""
    for place in range(100):
        threshold = place / 100
        said = scores >= threshold
        nan = {'zero_division': np.nan}
        precision = metrics.precision_score(truth, said, **nan)
        yield {
            'threshold': threshold,
            'true_positive_rate': metrics.recall_score(truth, said, **nan),
            'false_positive_rate': 1 - metrics.recall_score(truth, said, pos_label=0, **nan),
            'precision_score': precision,
            'recall_score': metrics.recall_score(truth, said, **nan),
            'f1_score': metrics.f1_score(truth, said, **nan),
            'n_predicted_positive': int(said.sum()),
            'predicted_positive_rate': said.mean(),
            'lift': precision / truth.mean() if truth.any() else None,
        }


def by_tenth(scores, truth):
    # A tenth begins with its edge; those of scikit-learn end with it.
    observed, said = calibration_curve(truth, np.nextafter(scores, 1), n_bins=10, strategy='uniform')
    tenth = np.searchsorted(np.linspace(0, 1, 11)[1:-1], scores, side='right')
    found = np.bincount(tenth, minlength=10)
    hits = np.bincount(tenth, truth, minlength=10)
    for at, (rate, mean) in zip(np.flatnonzero(found), zip(observed, said, strict=True), strict=True):
        low, high = wilson(int(hits[at]), int(found[at]))
        yield {
            'bin_low': at / 10,
            'n': int(found[at]),
            'mean_score': mean,
            'observed_rate': rate,
            'ci_low': low,
            'ci_high': high,
        }


def roc(scores, truth):
    """Of scores to a hundredth, a point for each that some have, after the one where nothing is called positive."""
    hundredth = np.searchsorted(np.arange(1, 100) / 100, scores, side='right')
    rates = metrics.roc_curve(truth, hundredth, drop_intermediate=False)
    for false_positive, true_positive, threshold in zip(*rates, strict=True):
        yield {
            'threshold': threshold / 100 if np.isfinite(threshold) else None,
            'true_positive_rate': true_positive,
            'false_positive_rate': false_positive,
        }


def curves(rows):
    scores, truth = np.array([p for p, _ in rows]), np.array([y for _, y in rows])
    return {
        'thresholds': list(by_threshold(scores, truth)),
        'tenths': list(by_tenth(scores, truth)),
        'roc': list(roc(scores, truth)),
    }
