"""Exports that say something else than their framework, each with rows that show it: `differing/`, `differing.json`."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pandas as pd
from catboost import CatBoostClassifier, CatBoostRegressor
from lightgbm import LGBMClassifier, LGBMRegressor
from onnxmltools import convert_lightgbm, convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
from skl2onnx import to_onnx
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from xgboost import XGBClassifier, XGBRegressor, XGBRFClassifier

from paths import TEST_MODELS

FEATURES = ['a', 'b', 'c']
TARGETS = ['count', 'third']
SHOWN = 3
INPUT = [('X', FloatTensorType([None, 3]))]

random = np.random.default_rng(1)
X = random.normal(size=(80, 3)).round(2).astype(np.float32)
X[:, 2] = random.integers(0, 8, 80)
IS_HIGH = (X[:, 0] + 0.5 * X[:, 1] + random.normal(size=80) * 0.5 > 0).astype(int)
THIRDS = np.digitize(X[:, 0] + random.normal(size=80) * 0.3, [-0.4, 0.4])
COUNT = np.floor(np.exp(X[:, 0]))
IS_EVEN = np.isin(X[:, 2], [1, 4, 6]).astype(int)


def kept(name: str, model, truth: np.ndarray, export: Callable, rows=X, learned=X, **fit) -> dict:
    """`rows`: where the framework and the export are compared."""
    model.fit(learned, truth, **fit)
    exported = export(model)
    is_classifier = hasattr(model, 'predict_proba')
    expected = model.predict_proba(rows) if is_classifier else model.predict(rows).reshape(len(rows), -1)
    difference = np.abs(said(exported, rows) - expected).max(axis=1)
    if difference.max() < 0.001:
        raise AssertionError(f'{name} does not differ any more')
    onnx.save(exported, TEST_MODELS / 'differing' / f'{name}.onnx')
    columns = [f'expected_probability_{int(k)}' for k in model.classes_] if is_classifier else ['expected_value']
    if truth.ndim > 1:
        columns = [f'expected_{target}' for target in TARGETS]
    worst = np.argsort(-difference, kind='stable')[:SHOWN]
    shown = pd.DataFrame(rows[worst], columns=FEATURES).join(pd.DataFrame(expected[worst], columns=columns))
    return {
        'name': name,
        'difference': round(float(difference.max()), 4),
        'rows': shown.astype(float).to_dict('records'),
    }


def said(exported: onnx.ModelProto, rows: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(exported.SerializeToString(), providers=['CPUExecutionProvider'])
    [taken] = session.get_inputs()
    width = np.float64 if taken.type == 'tensor(double)' else np.float32
    answer = session.run(None, {taken.name: rows.astype(width)})[-1]
    if isinstance(answer, list):
        answer = np.array([list(row.values()) for row in answer])
    return answer.reshape(len(rows), -1)


def xgboost_targets(model) -> onnx.ModelProto:
    exported = xgboost(model)
    exported.metadata_props.add(key='pgscore.targets', value=json.dumps(TARGETS))
    return exported


def scikit_learn(model) -> onnx.ModelProto:
    is_classifier = hasattr(model, 'predict_proba')
    return to_onnx(model, X[:1], options={id(model): {'zipmap': False}} if is_classifier else None)


def xgboost(model) -> onnx.ModelProto:
    return convert_xgboost(model, initial_types=INPUT)


def lightgbm(model) -> onnx.ModelProto:
    return convert_lightgbm(model, initial_types=INPUT, zipmap=False)


def catboost(model) -> onnx.ModelProto:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'model.onnx'
        model.save_model(str(path), format='onnx')
        return onnx.load(path)


TREES = {'n_estimators': 3, 'max_depth': 2}
LEAVES = {'n_estimators': 3, 'num_leaves': 4, 'min_child_samples': 5, 'verbose': -1}
OBLIVIOUS = {'iterations': 3, 'depth': 2, 'verbose': 0, 'allow_writing_files': False}
ZEROS = np.where(random.random(X.shape) < 0.3, 0, X).astype(np.float32)
NEW = random.normal(size=(400, 3)).astype(np.float32)


def main() -> None:
    (TEST_MODELS / 'differing').mkdir(exist_ok=True)
    forest = {'boosting_type': 'rf', 'subsample': 0.6, 'subsample_freq': 1}
    tweedie = 'Tweedie:variance_power=1.5'
    calibrated = CalibratedClassifierCV(LogisticRegression(), method='isotonic', cv=2)
    halves = X + np.float32([0, 0, 0.5])
    categorical = LGBMClassifier(min_data_per_group=1, cat_smooth=1, **LEAVES)
    differing = [
        kept('xgboost_logistic', XGBRegressor(objective='reg:logistic', **TREES), IS_HIGH, xgboost),
        kept('xgboost_forest', XGBRFClassifier(**TREES), THIRDS, xgboost),
        kept('xgboost_parallel', XGBClassifier(num_parallel_tree=2, **TREES), THIRDS, xgboost),
        kept('xgboost_targets', XGBRegressor(**TREES), np.column_stack([COUNT, THIRDS]), xgboost_targets),
        kept('lightgbm_forest', LGBMRegressor(**forest, **LEAVES), COUNT, lightgbm),
        kept('lightgbm_ova', LGBMClassifier(objective='multiclassova', **LEAVES), THIRDS, lightgbm),
        kept('lightgbm_zeros', LGBMClassifier(zero_as_missing=True, **LEAVES), IS_HIGH, lightgbm, ZEROS, ZEROS),
        kept('lightgbm_linear', LGBMRegressor(linear_tree=True, **LEAVES), COUNT, lightgbm),
        kept('lightgbm_sigmoid', LGBMClassifier(sigmoid=2.0, **LEAVES), IS_HIGH, lightgbm),
        kept('lightgbm_categories', categorical, IS_EVEN, lightgbm, halves, categorical_feature=[2]),
        kept('catboost_poisson', CatBoostRegressor(loss_function='Poisson', **OBLIVIOUS), COUNT, catboost),
        kept('catboost_tweedie', CatBoostRegressor(loss_function=tweedie, **OBLIVIOUS), COUNT, catboost),
        kept('catboost_ova', CatBoostClassifier(loss_function='MultiClassOneVsAll', **OBLIVIOUS), THIRDS, catboost),
        kept('neighbours_classes', KNeighborsClassifier(3, weights='distance'), IS_HIGH, scikit_learn, NEW),
        kept('neighbours_value', KNeighborsRegressor(3, weights='distance'), COUNT, scikit_learn, NEW),
        kept('isotonic', calibrated, IS_HIGH, scikit_learn, NEW),
    ]
    (TEST_MODELS / 'differing.json').write_text(json.dumps(differing, indent=1) + '\n')


if __name__ == '__main__':
    main()
