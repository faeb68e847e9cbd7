"""What scikit-learn, scipy and numpy say of a binary classifier."""

import numpy as np
from scipy import stats
from sklearn import metrics

from intervals import of_auc, of_f1, wilson

# Bins are closed on the right; a hundredth, in whose place stands the number before it, is in the bin above.
HUNDREDTHS = {k / 100 for k in range(1, 100)}
EDGES = np.array(
    sorted(
        {round(10 ** (-7 + k / 50), 12) for k in range(250)}
        | {k / 1000 for k in range(10, 991)} - HUNDREDTHS
        | {float(np.nextafter(edge, 0)) for edge in HUNDREDTHS}
        | {1 - round(10 ** (-7 + k / 50), 12) for k in range(250)}
    )
)


def one_score_a_bin(scores):
    distinct = np.unique(scores)
    return len(np.unique(np.searchsorted(EDGES, distinct, side='left'))) == len(distinct)


def calibration_error(truth, scores, strict=False):
    """Ten bins of equal width, closed on the left."""
    bins = np.searchsorted(np.arange(1, 10) / 10, scores, side='right')
    return sum(abs(truth[bins == b].sum() - scores[bins == b].sum()) for b in np.unique(bins)) / len(truth)


def binary(rows):
    truth, scores = np.array([y for _, y in rows]), np.array([p for p, _ in rows])
    said = (scores >= 0.5).astype(int)
    tn, fp, fn, tp = (int(n) for n in metrics.confusion_matrix(truth, said, labels=[0, 1]).ravel())
    n, pos, neg = len(truth), tp + fn, tn + fp
    nan = {'zero_division': np.nan}
    golden = {
        'true_positives': tp,
        'false_positives': fp,
        'false_negatives': fn,
        'true_negatives': tn,
        'accuracy': metrics.accuracy_score(truth, said),
        'balanced_accuracy': metrics.balanced_accuracy_score(truth, said),
        'precision_score': metrics.precision_score(truth, said, **nan),
        'recall_score': metrics.recall_score(truth, said, **nan),
        'f1_score': metrics.f1_score(truth, said, **nan),
        'specificity': metrics.recall_score(truth, said, pos_label=0, **nan),
        # scikit-learn says 0 where a margin is empty.
        'mcc': metrics.matthews_corrcoef(truth, said) if pos and neg and tp + fp and tn + fn else None,
        'cohen_kappa': metrics.cohen_kappa_score(truth, said, labels=[0, 1])
        if max(pos, neg, tp + fp, tn + fn) < n or tp + tn < n
        else None,
        'brier_score': metrics.brier_score_loss(truth, scores),
        'log_loss': metrics.log_loss(truth, scores, labels=[0, 1]),
        'ece': calibration_error(truth, scores),
        'positive_rate_predicted': said.mean(),
        'positive_rate_actual': truth.mean(),
        'roc_auc': metrics.roc_auc_score(truth, scores) if pos and neg else None,
        'average_precision': metrics.average_precision_score(truth, scores) if pos else None,
        'ks_of_scores': stats.ks_2samp(scores[truth == 1], scores[truth == 0]).statistic if pos and neg else None,
    }
    shares = {
        'accuracy': (tp + tn, n),
        'precision': (tp, tp + fp),
        'recall': (tp, pos),
        'specificity': (tn, neg),
        'positive_rate_predicted': (tp + fp, n),
        'positive_rate_actual': (pos, n),
    }
    for name, (hits, of) in shares.items():
        golden[f'{name}_ci_low'], golden[f'{name}_ci_high'] = wilson(hits, of)
    golden['f1_ci_low'], golden['f1_ci_high'] = of_f1(tp, fp + fn)
    golden['roc_auc_ci_low'], golden['roc_auc_ci_high'] = of_auc(truth, scores)
    return golden | {'one_score_a_bin': one_score_a_bin(scores)}
