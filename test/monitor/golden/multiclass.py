"""What scikit-learn and scipy say of a classifier of the classes a, b and c."""

import numpy as np
from sklearn import metrics

from binary import EDGES
from intervals import of_f1, wilson

CLASSES = ['a', 'b', 'c']


def one_probability_a_bin(p):
    for column in p.T:
        distinct = np.unique(column)
        if len(np.unique(np.searchsorted(EDGES, distinct, side='left') // 4)) < len(distinct):
            return False
    return True


def interval_of(name):
    return f'{name}_ci_low', f'{name}_ci_high'


def multiclass(rows):
    p = np.array([row[2] for row in rows])
    truth, said = [row[0] for row in rows], [row[1] for row in rows]
    hits = sum(t == s for t, s in zip(truth, said, strict=True))
    one_class = len(set(truth)) == 1
    golden = {
        'accuracy': metrics.accuracy_score(truth, said),
        # scikit-learn says 0 where all are said to be, or are, of one class.
        'mcc': metrics.matthews_corrcoef(truth, said) if not one_class and len(set(said)) > 1 else None,
        'cohen_kappa': metrics.cohen_kappa_score(truth, said, labels=CLASSES) if len({*truth, *said}) > 1 else None,
        'log_loss': metrics.log_loss(truth, p, labels=CLASSES),
        'n_classes_defined': len(set(truth)),
    }
    golden['accuracy_ci_low'], golden['accuracy_ci_high'] = wilson(hits, len(rows))
    for average in ('macro', 'weighted', 'micro'):
        scores = metrics.precision_recall_fscore_support(
            truth, said, labels=CLASSES, average=average, zero_division=np.nan
        )
        for name, value in zip(('precision', 'recall', 'f1'), scores, strict=False):
            golden[f'{average}_{name}'] = value
    each = metrics.precision_recall_fscore_support(truth, said, labels=CLASSES, average=None, zero_division=np.nan)
    for name, values in zip(('precision_score', 'recall_score', 'f1_score', 'support'), each, strict=True):
        golden |= {f'class_{place}_{name}': value for place, value in zip(CLASSES, values, strict=True)}
    for name in CLASSES:
        right = sum(t == s == name for t, s in zip(truth, said, strict=True))
        support, predicted = truth.count(name), said.count(name)
        golden |= dict(zip(interval_of(f'class_{name}_precision'), wilson(right, predicted), strict=True))
        golden |= dict(zip(interval_of(f'class_{name}_recall'), wilson(right, support), strict=True))
        golden |= dict(zip(interval_of(f'class_{name}_f1'), of_f1(right, support + predicted - 2 * right), strict=True))
    areas = []
    for place, name in enumerate(CLASSES):
        true = np.array([t == name for t in truth])
        areas.append(metrics.roc_auc_score(true, p[:, place]) if 0 < true.sum() < len(true) else None)
        golden[f'class_auc_{name}'] = areas[-1]
    defined = [area for area in areas if area is not None]
    golden['macro_roc_auc'] = np.mean(defined) if defined else None
    golden['n_classes_defined_auc'] = len(defined)
    golden['top_2_accuracy'] = metrics.top_k_accuracy_score(truth, p, k=2, labels=CLASSES)
    among = metrics.top_k_accuracy_score(truth, p, k=2, labels=CLASSES, normalize=False)
    golden |= dict(zip(interval_of('top_2_accuracy'), wilson(among, len(rows)), strict=True))
    return golden | {'one_score_a_bin': one_probability_a_bin(p)}
