"""scikit-learn's own: a pipeline over columns of both kinds, boosted trees and a forest."""

from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import expected
from delay_task import KEY, LATE, NUMBERS, history, matrix
from flights import demo_flights
from golden import Golden, keep
from paths import TEST_MODELS
from sample import complete, with_gaps
from sklearn_export import FRAMEWORK, export_columns, export_matrix

TEXTS = {'carrier': 'text', 'origin': 'text', 'dest': 'text'}


def logistic_pipeline() -> dict:
    """Strings and numbers by column, the imputer fills NULL, and the positive class is not the last one."""
    columns = NUMBERS | TEXTS
    model = make_pipeline(
        make_column_transformer(
            (make_pipeline(SimpleImputer(), StandardScaler()), list(NUMBERS)),
            (OneHotEncoder(handle_unknown='ignore'), list(TEXTS)),
        ),
        LogisticRegression(max_iter=500),
    )
    model.fit(history()[list(columns)], history().was_late.map({True: 'late', False: 'on_time'}))
    path = TEST_MODELS / 'logistic_pipeline.onnx'
    export_columns(model, path, numbers=list(NUMBERS), integers=[], texts=list(TEXTS))
    rows = with_gaps(demo_flights(), list(NUMBERS))
    return keep(
        Golden(
            name='logistic_pipeline',
            path=path,
            framework=FRAMEWORK,
            rows=rows,
            types=KEY | columns,
            task='binary',
            expected=expected.classes(
                ['late', 'on_time'], model.predict(rows), model.predict_proba(rows), positive='late'
            ),
            class_labels=['late', 'on_time'],
            deploy={'positive_class': 'late'},
        )
    )


def gradient_boosting() -> dict:
    """Feature names with spaces, in the file."""
    cancer = load_breast_cancer(as_frame=True)
    names = list(cancer.feature_names)
    diagnosis = cancer.target_names[cancer.target]
    model = GradientBoostingClassifier(n_estimators=40, random_state=7)
    rows = complete(cancer.data, names)
    training = cancer.data.index.difference(rows.index)
    model.fit(cancer.data.loc[training].to_numpy(), diagnosis[training])
    path = TEST_MODELS / 'gradient_boosting.onnx'
    export_matrix(model, path, len(names), names=names)
    values = rows.to_numpy()
    labels = list(model.classes_)
    return keep(
        Golden(
            name='gradient_boosting',
            path=path,
            framework=FRAMEWORK,
            rows=rows.assign(patient_id=rows.index),
            types={'patient_id': 'int8'} | dict.fromkeys(names, 'real'),
            task='binary',
            expected=expected.classes(labels, model.predict(values), model.predict_proba(values), positive='malignant'),
            class_labels=labels,
        )
    )


def hist_gradient_boosting() -> dict:
    """Its trees route NaN, and the export keeps that."""
    model = HistGradientBoostingClassifier(max_iter=30, random_state=7)
    return delay_trees('hist_gradient_boosting', model, with_gaps(demo_flights(), list(NUMBERS)))


def random_forest() -> dict:
    """Exported without ZipMap, as advised in skl2onnx's examples; the export loses the routing of NaN."""
    model = RandomForestClassifier(n_estimators=20, max_depth=7, random_state=7)
    return delay_trees('random_forest', model, complete(demo_flights(), list(NUMBERS)), options={'zipmap': False})


def delay_trees(name: str, model, rows, options: dict | None = None) -> dict:
    model.fit(matrix(history()), history().was_late.astype(int))
    path = TEST_MODELS / f'{name}.onnx'
    export_matrix(model, path, len(NUMBERS), options=options)
    values = matrix(rows)
    return keep(
        Golden(
            name=name,
            path=path,
            framework=FRAMEWORK,
            rows=rows,
            types=KEY | NUMBERS,
            task='binary',
            expected=expected.classes(LATE, model.predict(values), model.predict_proba(values), positive='1'),
            class_labels=LATE,
            deploy={'features': list(NUMBERS)},
        )
    )


def train() -> list[dict]:
    return [logistic_pipeline(), gradient_boosting(), hist_gradient_boosting(), random_forest()]
