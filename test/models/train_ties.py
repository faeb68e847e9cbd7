"""A forest of so few trees that its votes are often a tie, at which scikit-learn says the first class."""

import numpy as np
import pandas as pd
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier

import expected
from golden import Golden, keep
from paths import TEST_MODELS
from sample import ROWS, at_float32
from sklearn_export import FRAMEWORK, export_matrix

FEATURES = ['recency', 'visits', 'basket', 'returns', 'age', 'distance']
LABELS = ['stays', 'leaves']


def train() -> list[dict]:
    values, leaves = make_classification(1000, len(FEATURES), n_informative=4, flip_y=0.2, random_state=3)
    rows = at_float32(pd.DataFrame(values, columns=FEATURES))
    truth = np.array(LABELS)[leaves]
    model = RandomForestClassifier(4, random_state=1).fit(rows[:-ROWS].to_numpy(), truth[:-ROWS])
    shown = rows[-ROWS:].reset_index(drop=True)
    path = TEST_MODELS / 'tied_forest.onnx'
    export_matrix(model, path, len(FEATURES), names=FEATURES, options={'zipmap': False})
    labels = list(model.classes_)
    probabilities = model.predict_proba(shown.to_numpy())
    if (probabilities[:, 0] == 0.5).sum() < ROWS / 10:
        raise AssertionError('the forest is seldom tied')
    return [
        keep(
            Golden(
                name='tied_forest',
                path=path,
                framework=FRAMEWORK,
                rows=shown.assign(customer_id=shown.index + 1),
                types={'customer_id': 'int4'} | dict.fromkeys(FEATURES, 'real'),
                task='binary',
                expected=expected.classes(labels, model.predict(shown.to_numpy()), probabilities, positive='stays'),
                class_labels=labels,
            )
        )
    ]
