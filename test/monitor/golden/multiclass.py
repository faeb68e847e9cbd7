"""What scikit-learn and scipy say of a classifier of the classes a, b and c."""

import numpy as np
from sklearn import metrics

from intervals import wilson

CLASSES = ['a', 'b', 'c']


def multiclass(rows):
    truth, said = [row[0] for row in rows], [row[1] for row in rows]
    hits = sum(t == s for t, s in zip(truth, said, strict=True))
    one_class = len(set(truth)) == 1
    golden = {
        'accuracy': metrics.accuracy_score(truth, said),
        # scikit-learn says 0 where all are said to be, or are, of one class.
        'mcc': metrics.matthews_corrcoef(truth, said) if not one_class and len(set(said)) > 1 else None,
        'cohen_kappa': metrics.cohen_kappa_score(truth, said, labels=CLASSES) if len({*truth, *said}) > 1 else None,
        'log_loss': metrics.log_loss(truth, np.array([row[2] for row in rows]), labels=CLASSES),
        'n_classes_defined': len(set(truth)),
    }
    golden['accuracy_ci_low'], golden['accuracy_ci_high'] = wilson(hits, len(rows))
    for average in ('macro', 'weighted'):
        scores = metrics.precision_recall_fscore_support(
            truth, said, labels=CLASSES, average=average, zero_division=np.nan
        )
        for name, value in zip(('precision', 'recall', 'f1'), scores, strict=False):
            golden[f'{average}_{name}'] = value
    return golden
