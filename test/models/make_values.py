"""Models that give several values a row, each beside 100 rows that its framework scored: `values/`."""

import json

import numpy as np
import onnx
import pandas as pd
from skl2onnx import to_onnx
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor, GradientBoostingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from delay_task import NUMBERS, history
from feature_names import name_features
from flights import demo_flights
from gzipped import write_csv
from paths import TEST_MODELS
from sample import complete

FOLDER = TEST_MODELS / 'values'
FEATURES = ['distance', 'scheduled_minutes', 'departure_hour', 'temp', 'wind_speed', 'visib']
TARGETS = ['air_time', 'arr_delay']
LABELS = ['departed_late', 'arrived_late', 'long flight']


def learned() -> tuple[np.ndarray, pd.DataFrame]:
    frame = history().dropna(subset=list(NUMBERS)).head(3000)
    return frame[FEATURES].to_numpy(np.float32), frame


def rows() -> pd.DataFrame:
    return complete(demo_flights(), list(NUMBERS)).head(100)[['flight_id', *FEATURES]]


def labels_of(frame: pd.DataFrame) -> np.ndarray:
    return np.column_stack([frame.dep_delay > 15, frame.arr_delay > 15, frame.air_time > 150]).astype(int)


def keep(name: str, model: onnx.ModelProto, expected: pd.DataFrame, **deploy) -> dict:
    name_features(model, FEATURES)
    onnx.save(model, FOLDER / f'{name}.onnx')
    write_csv(pd.concat([rows().reset_index(drop=True), expected], axis=1), FOLDER / f'{name}.csv.gz')
    return {'name': name, 'deploy': deploy}


def targets(name: str, estimator) -> dict:
    X, frame = learned()
    estimator.fit(X, frame[TARGETS].to_numpy(np.float32))
    said = estimator.predict(rows()[FEATURES].to_numpy(np.float32))
    expected = pd.DataFrame(said, columns=[f'expected_{target}' for target in TARGETS])
    return keep(name, to_onnx(estimator, X[:1]), expected, targets=TARGETS)


def labels(name: str, estimator, options: dict | None = None, *, alone: bool = False) -> dict:
    X, frame = learned()
    estimator.fit(X, labels_of(frame))
    given = rows()[FEATURES].to_numpy(np.float32)
    expected = pd.DataFrame(estimator.predict(given), columns=[f'expected_label_{label}' for label in LABELS])
    if not alone:
        said = estimator.predict_proba(given)
        shares = said if isinstance(said, np.ndarray) else np.column_stack([each[:, 1] for each in said])
        for place, label in enumerate(LABELS):
            expected[f'expected_probability_{label}'] = shares[:, place]
    exported = to_onnx(estimator, X[:1], options=options and {id(estimator): options})
    if alone:
        del exported.graph.output[1:]
    return keep(name, exported, expected, class_labels=LABELS)


def quantiles(name: str) -> dict:
    """A model for each quantile, exported as one."""
    X, frame = learned()
    levels = [0.1, 0.5, 0.9]
    together = MultiOutputRegressor(LinearRegression()).fit(X, np.column_stack([frame.arr_delay] * len(levels)))
    together.estimators_ = [
        GradientBoostingRegressor(n_estimators=10, loss='quantile', alpha=level, random_state=1).fit(X, frame.arr_delay)
        for level in levels
    ]
    said = together.predict(rows()[FEATURES].to_numpy(np.float32))
    expected = pd.DataFrame(said, columns=['expected_q0_1', 'expected_q0_5', 'expected_q0_9'])
    named = [str(level) for level in levels]
    return keep(name, to_onnx(together, X[:1]), expected, task='quantiles', targets=named)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    scaled = lambda estimator: make_pipeline(StandardScaler(), estimator)  # noqa: E731
    network = {'hidden_layer_sizes': (8,), 'max_iter': 60, 'random_state': 1}
    kept = [
        targets('linear_targets', LinearRegression()),
        targets('trees_targets', ExtraTreesRegressor(8, max_depth=5, random_state=1)),
        targets('each_target', MultiOutputRegressor(LinearRegression())),
        labels('one_vs_rest', scaled(OneVsRestClassifier(LogisticRegression()))),
        labels('each_label', scaled(MultiOutputClassifier(LogisticRegression()))),
        labels('trees_labels', ExtraTreesClassifier(8, max_depth=5, random_state=1)),
        labels('neighbours_labels', KNeighborsClassifier(7), {'zipmap': False}),
        labels('network_labels', scaled(MLPClassifier(**network))),
        labels('labels_alone', scaled(OneVsRestClassifier(LogisticRegression())), alone=True),
        quantiles('boosted_quantiles'),
    ]
    (FOLDER / 'values.json').write_text(json.dumps({'labels': LABELS, 'models': kept}, indent=2) + '\n')


if __name__ == '__main__':
    main()
