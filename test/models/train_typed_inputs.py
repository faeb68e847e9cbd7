"""Inputs of all six types that pgscore feeds, one a column, around a logistic regression that was really trained."""

import numpy as np
import onnx
import pandas as pd
from onnx import TensorProto, helper
from sklearn.linear_model import LogisticRegression

import expected
from delay_task import KEY, LATE, history
from flights import demo_flights
from golden import Golden, keep
from paths import TEST_MODELS
from sample import complete
from sklearn_export import FRAMEWORK

COLUMNS = {
    'distance': ('int8', TensorProto.INT64),
    'departure_hour': ('int4', TensorProto.INT32),
    'wind_speed': ('real', TensorProto.FLOAT),
    'pressure': ('float8', TensorProto.DOUBLE),
    'is_weekend': ('bool', TensorProto.BOOL),
    'origin': ('text', TensorProto.STRING),
}
ORIGINS = ['EWR', 'JFK', 'LGA']
NUMBERS = [name for name in COLUMNS if name != 'origin']


def with_weekend(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(is_weekend=frame.weekday >= 6)


def encoded(frame: pd.DataFrame) -> np.ndarray:
    """What the graph makes of a row: the numbers, then one column an origin."""
    origins = [frame.origin == origin for origin in ORIGINS]
    return np.column_stack([frame[NUMBERS].to_numpy(np.float32), *origins]).astype(np.float32)


def graph(model: LogisticRegression) -> onnx.ModelProto:
    weights = model.coef_[0].tolist()
    casts = [helper.make_node('Cast', [name], [f'{name}_float'], to=TensorProto.FLOAT) for name in NUMBERS]
    parts = [*(f'{name}_float' for name in NUMBERS), 'origin_one_hot']
    nodes = [
        *casts,
        helper.make_node(
            'OneHotEncoder', ['origin'], ['origin_each'], domain='ai.onnx.ml', cats_strings=ORIGINS, zeros=1
        ),
        helper.make_node('Reshape', ['origin_each', 'origin_shape'], ['origin_one_hot']),
        helper.make_node('Concat', parts, ['encoded'], axis=1),
        helper.make_node(
            'LinearClassifier',
            ['encoded'],
            ['label', 'probabilities'],
            domain='ai.onnx.ml',
            classlabels_ints=[0, 1],
            coefficients=[*(-weight for weight in weights), *weights],
            intercepts=[-float(model.intercept_[0]), float(model.intercept_[0])],
            post_transform='LOGISTIC',
        ),
    ]
    shape = helper.make_tensor('origin_shape', TensorProto.INT64, [2], [-1, len(ORIGINS)])
    inputs = [helper.make_tensor_value_info(name, kind, [None, 1]) for name, (_, kind) in COLUMNS.items()]
    outputs = [
        helper.make_tensor_value_info('label', TensorProto.INT64, [None]),
        helper.make_tensor_value_info('probabilities', TensorProto.FLOAT, [None, 2]),
    ]
    return helper.make_model(
        helper.make_graph(nodes, 'typed_inputs', inputs, outputs, [shape]),
        ir_version=8,
        opset_imports=[helper.make_opsetid('', 17), helper.make_opsetid('ai.onnx.ml', 3)],
        producer_name='onnx.helper',
    )


def train() -> list[dict]:
    known = with_weekend(history()).dropna(subset=list(COLUMNS))
    model = LogisticRegression(class_weight='balanced', max_iter=2000).fit(encoded(known), known.was_late.astype(int))
    path = TEST_MODELS / 'typed_inputs.onnx'
    path.write_bytes(graph(model).SerializeToString())
    rows = complete(with_weekend(demo_flights()), list(COLUMNS))
    values = encoded(rows)
    return [
        keep(
            Golden(
                name='typed_inputs',
                path=path,
                framework=FRAMEWORK,
                rows=rows,
                task='binary',
                class_labels=LATE,
                types=KEY | {name: sql for name, (sql, _) in COLUMNS.items()},
                expected=expected.classes(LATE, model.predict(values), model.predict_proba(values), positive='1'),
            )
        )
    ]
