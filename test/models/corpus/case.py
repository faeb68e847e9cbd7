"""One model of the corpus: how it was exported, rows, and what its framework says of them."""

from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd

TOLERANCE = 1e-5
NUMPY = {
    'tensor(float)': np.float32,
    'tensor(double)': np.float64,
    'tensor(float16)': np.float16,
    'tensor(int8)': np.int8,
    'tensor(uint8)': np.uint8,
    'tensor(int16)': np.int16,
    'tensor(int32)': np.int32,
    'tensor(int64)': np.int64,
    'tensor(bool)': np.bool_,
    'tensor(string)': object,
}


@dataclass(frozen=True)
class Case:
    """
    `kind` says what the answers are; `answers` holds what the framework gave, as arrays a row:
    label, probabilities, margins, value, values, labels, vector. `names` are the classes, targets or quantiles.
    """

    name: str
    framework: str
    estimator: str
    export: str
    kind: str
    model: onnx.ModelProto
    rows: pd.DataFrame
    types: dict[str, str]
    answers: dict[str, Any]
    names: list[str] = field(default_factory=list)
    deploy: dict = field(default_factory=dict)
    remark: str = ''
    #: What the export does otherwise than its framework, where it does.
    differs: str = ''
    #: ONNX Runtime does not load it.
    broken: bool = False
    exporter: str = ''
    feeds: Any = None
    tolerance: float = TOLERANCE


def versioned(*packages: str) -> str:
    return ', '.join(f'{package} {version(package)}' for package in packages)


def expected(case: Case) -> pd.DataFrame:
    """The answers as columns that the test compares."""
    frame = {}
    for key, value in case.answers.items():
        value = np.asarray(value)
        if key == 'label':
            frame['expected_label'] = [text(label) for label in value]
        elif key == 'value':
            frame['expected_value'] = value.astype(np.float64).ravel()
        elif key in ('score', 'margin'):
            frame['expected_score'] = value.astype(np.float64).ravel()
        elif key == 'vector':
            frame['expected_embedding'] = ['{' + ','.join(repr(float(x)) for x in row) + '}' for row in value]
        else:
            prefix = {'probabilities': 'probability_', 'margins': 'margin_', 'values': '', 'labels': 'label_'}[key]
            for index, name in enumerate(case.names):
                column = value[:, index].astype(bool if key == 'labels' else np.float64)
                frame[f'expected_{prefix}{quantile(name) if case.kind == "quantiles" else name}'] = column
    return pd.DataFrame(frame)


def quantile(name: str) -> str:
    """The column of a quantile."""
    return f'q{name.replace(".", "_")}'


def text(label) -> str:
    return str(int(label)) if isinstance(label, bool | np.bool_) else str(label)


def difference(case: Case) -> float:
    """The largest relative difference of ONNX Runtime from the framework, each answer compared with the output nearest to it."""
    session = onnxruntime.InferenceSession(case.model.SerializeToString())
    outputs = [as_array(output) for output in run(session, case)]
    floats = [output for output in outputs if output.dtype.kind in 'fiub']
    if case.kind == 'anomaly':
        floats += [-output for output in floats]
    if case.kind == 'clustering':
        floats += [extreme(output, axis=1) for output in floats if output.ndim == 2 for extreme in (np.min, np.max)]
    numbers = {key: value for key, value in case.answers.items() if key not in ('label', 'labels')}
    return max((nearest(np.asarray(value, np.float64), floats) for value in numbers.values()), default=0.0)


def run(session, case: Case) -> list:
    feeds = case.feeds if case.feeds is not None else feeds_of(session, case)
    fixed = {size for node in session.get_inputs() for size in node.shape[:1] if isinstance(size, int)}
    if fixed != {1}:
        return session.run(None, feeds)
    ones = [session.run(None, {key: value[at : at + 1] for key, value in feeds.items()}) for at in range(len(case.rows))]
    return [np.concatenate([as_array(part) for part in parts]) for parts in zip(*ones, strict=True)]


def feeds_of(session, case: Case) -> dict[str, np.ndarray]:
    inputs = session.get_inputs()
    names = list(case.types)
    if len(inputs) == 1 and (len(names) > 1 or inputs[0].shape[-1] == 1):
        matrix = case.rows[names]
        if inputs[0].type == 'tensor(string)':
            return {inputs[0].name: matrix.to_numpy(object)}
        return {inputs[0].name: matrix.to_numpy(NUMPY[inputs[0].type], na_value=np.nan)}
    return {node.name: column(case.rows[name], node) for node, name in zip(inputs, names, strict=True)}


def column(values: pd.Series, node) -> np.ndarray:
    kind = NUMPY[node.type]
    missing = {} if kind is object or not values.isna().any() else {'na_value': np.nan}
    return values.to_numpy(kind, **missing).reshape([-1, 1] if len(node.shape) == 2 else [-1])


def as_array(output) -> np.ndarray:
    """ZipMap's list of dicts keeps the order of its classes; several matrices of two columns are labels."""
    if isinstance(output, list) and output and isinstance(output[0], dict):
        return np.array([list(row.values()) for row in output])
    return np.asarray(output)


def nearest(value: np.ndarray, outputs: list[np.ndarray]) -> float:
    return min((relative(value, output) for output in outputs), default=np.inf)


def relative(value: np.ndarray, output: np.ndarray) -> float:
    """Of a single column, the nearest column of the output counts."""
    rows = len(value)
    if output.size % rows != 0 or output.size == 0:
        return np.inf
    if output.ndim == 3 and value.ndim == 2 and output.shape[2] == 2:
        output = output[:, :, 1].T if output.shape[0] != rows else output[:, :, 1]
    output = output.reshape(rows, -1).astype(np.float64)
    value = value.reshape(rows, -1)
    if value.shape[1] == 1:
        differences = np.abs(output - value) / np.maximum(1, np.abs(value))
        return float(differences.max(axis=0).min())
    if value.shape[1] == 2 and output.shape[1] == 1:
        value = value[:, 1:]
    if value.shape != output.shape:
        return np.inf
    return float((np.abs(output - value) / np.maximum(1, np.abs(value))).max())
