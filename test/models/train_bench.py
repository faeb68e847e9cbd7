"""The models of the benchmark: 20 floats in one matrix, 100 trees of depth 6 or one logistic regression."""

import numpy as np
import pandas as pd
from sklearn.datasets import make_classification
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

import expected
from golden import Golden, keep
from paths import BENCH
from sample import ROWS
from sklearn_export import FRAMEWORK, export_matrix

FEATURES = [f'f{index}' for index in range(20)]
TRAINING_ROWS = 10_000


def train() -> list[dict]:
    values, labels = make_classification(TRAINING_ROWS + ROWS, 20, n_informative=12, random_state=7)
    values = values.astype(np.float32)
    trees = GradientBoostingClassifier(n_estimators=100, max_depth=6, random_state=7)
    return [bench('trees', trees, values, labels), bench('logistic', LogisticRegression(), values, labels)]


def bench(name: str, model, values: np.ndarray, labels: np.ndarray) -> dict:
    model.fit(values[:TRAINING_ROWS], labels[:TRAINING_ROWS])
    rows = values[TRAINING_ROWS:]
    path = BENCH / f'{name}.onnx'
    export_matrix(model, path, len(FEATURES), names=FEATURES)
    return keep(
        Golden(
            name=f'bench_{name}',
            path=path,
            framework=FRAMEWORK,
            rows=pd.DataFrame(rows, columns=FEATURES).assign(row_id=range(1, ROWS + 1)),
            types={'row_id': 'int8'} | dict.fromkeys(FEATURES, 'real'),
            task='binary',
            expected=expected.classes(['0', '1'], model.predict(rows), model.predict_proba(rows), positive='1'),
            class_labels=['0', '1'],
        )
    )
