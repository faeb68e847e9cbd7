"""Three species of iris by name: the smallest multiclass model."""

from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import expected
from golden import Golden, keep
from paths import TEST_MODELS
from sample import at_float32
from sklearn_export import FRAMEWORK, export_matrix

FEATURES = ['sepal_length', 'sepal_width', 'petal_length', 'petal_width']


def train() -> list[dict]:
    iris = load_iris(as_frame=True)
    rows = at_float32(iris.data.set_axis(FEATURES, axis=1))
    species = iris.target_names[iris.target]
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows.to_numpy(), species)
    path = TEST_MODELS / 'iris_multiclass.onnx'
    export_matrix(model, path, len(FEATURES), names=FEATURES)
    return [
        keep(
            Golden(
                name='iris_multiclass',
                path=path,
                framework=FRAMEWORK,
                rows=rows.assign(iris_id=rows.index + 1),
                types={'iris_id': 'int4'} | dict.fromkeys(FEATURES, 'real'),
                expected=expected.classes(
                    list(model.classes_), model.predict(rows.to_numpy()), model.predict_proba(rows.to_numpy())
                ),
                task='multiclass',
                class_labels=list(model.classes_),
            )
        )
    ]
