"""Runs a model in ONNX Runtime and measures how far it is from the framework that trained it."""

from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd

NUMPY_TYPES = {
    'tensor(float)': np.float32,
    'tensor(double)': np.float64,
    'tensor(int32)': np.int32,
    'tensor(int64)': np.int64,
    'tensor(bool)': np.bool_,
}


def largest_difference(path: Path, features: pd.DataFrame, expected: pd.DataFrame) -> float:
    """The largest |difference| / max(1, |expected|) over rows; infinite where a label differs."""
    session = onnxruntime.InferenceSession(path)
    outputs = run(session, features)
    if 'expected_value' in expected:
        return relative(outputs[0].ravel(), expected.expected_value)
    columns = [column for column in expected if column.startswith('expected_probability_')]
    probabilities = outputs[-1]
    if len(outputs) == 2 and [str(label) for label in outputs[0]] != list(expected.expected_label):
        return np.inf
    if probabilities.shape[1] == 1:
        return relative(probabilities[:, 0], expected.expected_score)
    return max(relative(probabilities[:, index], expected[column]) for index, column in enumerate(columns))


def relative(actual: np.ndarray, expected: pd.Series) -> float:
    return float((np.abs(actual - expected) / np.maximum(1, np.abs(expected))).max())


def run(session: onnxruntime.InferenceSession, features: pd.DataFrame) -> list[np.ndarray]:
    """All outputs for all rows; a model with a fixed batch of 1 gets them one by one."""
    fixed = session.get_inputs()[0].shape[0] == 1
    batches = [features.iloc[row : row + 1] for row in range(len(features))] if fixed else [features]
    outputs = [session.run(None, feeds(session, batch)) for batch in batches]
    return [np.concatenate([as_tensor(part) for part in parts]) for parts in zip(*outputs, strict=True)]


def feeds(session: onnxruntime.InferenceSession, features: pd.DataFrame) -> dict[str, np.ndarray]:
    inputs = session.get_inputs()
    if len(inputs) == 1 and len(features.columns) > 1:
        return {inputs[0].name: features.to_numpy(np.float32, na_value=np.nan)}
    return {node.name: column(features[node.name], node.type) for node in inputs}


def column(values: pd.Series, onnx_type: str) -> np.ndarray:
    if onnx_type == 'tensor(string)':
        return values.to_numpy(object).reshape(-1, 1)
    kind = NUMPY_TYPES[onnx_type]
    missing = {'na_value': np.nan} if values.isna().any() else {}
    return values.to_numpy(kind, **missing).reshape(-1, 1)


def as_tensor(output) -> np.ndarray:
    """The output as an array; ZipMap's list of dicts keeps the order of its classes."""
    if isinstance(output, list) and isinstance(output[0], dict):
        return np.array([list(row.values()) for row in output])
    return np.asarray(output)
