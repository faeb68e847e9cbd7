"""Exports scikit-learn models with skl2onnx's own defaults, ZipMap included."""

from pathlib import Path

import sklearn
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType

from feature_names import name_features

FRAMEWORK = f'scikit-learn {sklearn.__version__}'


def export_columns(model, path: Path, *, numbers: list[str], integers: list[str], texts: list[str]) -> None:
    """One ONNX input per column."""
    inputs = [
        *((name, FloatTensorType([None, 1])) for name in numbers),
        *((name, Int64TensorType([None, 1])) for name in integers),
        *((name, StringTensorType([None, 1])) for name in texts),
    ]
    path.write_bytes(convert_sklearn(model, path.stem, inputs).SerializeToString())


def export_matrix(model, path: Path, width: int, names: list[str] | None = None, options: dict | None = None) -> None:
    """One float matrix, whose columns are named in the file only where `names` are given."""
    exported = convert_sklearn(model, path.stem, [('X', FloatTensorType([None, width]))], options=options)
    if names is not None:
        name_features(exported, names)
    path.write_bytes(exported.SerializeToString())
