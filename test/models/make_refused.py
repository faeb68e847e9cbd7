"""Exports that newcomers bring and a deploy refuses, and the same after the remedy that it names: `refused/`."""

import copy

import numpy as np
import onnx
import pandas as pd
from skl2onnx import to_onnx
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.impute import KNNImputer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.multiclass import OneVsOneClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from paths import TEST_MODELS

random = np.random.default_rng(1)
X = random.normal(size=(40, 3)).astype(np.float32)
IS_HIGH = (X[:, 0] > 0).astype(int)
THIRDS = np.digitize(X[:, 0], [-0.4, 0.4])
CARS = pd.DataFrame(X, columns=['Weight in (lbs)', 'Miles per gallon', 'doors'])


def save(name: str, model: onnx.ModelProto) -> None:
    onnx.save(model, TEST_MODELS / 'refused' / f'{name}.onnx')


def without_maps(model, rows) -> onnx.ModelProto:
    return to_onnx(model, rows[:1], options={id(model): {'zipmap': False}})


def save_with_labels_alone(name: str, model: onnx.ModelProto) -> None:
    save(name, model)
    alone = copy.deepcopy(model)
    del alone.graph.output[1:]
    save(f'{name}_labels', alone)


def main() -> None:
    (TEST_MODELS / 'refused').mkdir(exist_ok=True)
    save_with_labels_alone('kmeans', to_onnx(KMeans(3, n_init=1, random_state=1).fit(X), X[:1]))
    save_with_labels_alone('one_vs_one', to_onnx(OneVsOneClassifier(LogisticRegression()).fit(X, THIRDS), X[:1]))
    save_with_labels_alone('sgd_hinge', without_maps(SGDClassifier(random_state=1).fit(X, IS_HIGH), X))
    save('sgd_hinge_calibrated', without_maps(CalibratedClassifierCV(SGDClassifier(), cv=2).fit(X, IS_HIGH), X))

    save('quadratic', without_maps(QuadraticDiscriminantAnalysis().fit(X, IS_HIGH), X))

    wide = X[:1].astype(np.float64)
    forest = RandomForestRegressor(3, max_depth=3, random_state=1).fit(X, X[:, 0] + IS_HIGH)
    save('float64_forest', to_onnx(forest, wide))
    boosting = GradientBoostingClassifier(n_estimators=3, random_state=1).fit(X, IS_HIGH)
    save('float64_boosting', to_onnx(boosting, wide, options={'zipmap': False}))
    decimals = np.random.default_rng(5).normal(size=(80, 3)).round(1)
    labels = RandomForestClassifier(3, max_depth=4, random_state=1).fit(decimals, decimals[:, 0] > 0.1)
    save('float64_decimals', to_onnx(labels, decimals[:1], options={'zipmap': False}))
    save('float64_scaled', to_onnx(make_pipeline(MinMaxScaler(), forest).fit(X, X[:, 0]), wide))

    some_missing = np.where(random.random(X.shape) < 0.2, np.nan, X).astype(np.float32)
    imputed = make_pipeline(KNNImputer(n_neighbors=2), LogisticRegression()).fit(some_missing, IS_HIGH)
    save('knn_imputer', without_maps(imputed, some_missing))

    save('boolean_classes', without_maps(LogisticRegression().fit(X, IS_HIGH.astype(bool)), X))

    scaled = make_column_transformer((StandardScaler(), list(CARS.columns[:2])), remainder='passthrough')
    save('renamed_columns', without_maps(make_pipeline(scaled, LogisticRegression()).fit(CARS, IS_HIGH), CARS))


if __name__ == '__main__':
    main()
