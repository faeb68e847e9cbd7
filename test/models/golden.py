"""Keeps a trained model beside rows that its own training framework scored."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import onnx
import pandas as pd

from agreement import largest_difference
from feature_names import has_feature_names
from gzipped import write_csv
from paths import TEST_MODELS

TOLERANCE = 1e-5


@dataclass(frozen=True)
class Golden:
    """A model, rows and the framework's predictions for them, in the same order.

    `types` maps each column of `rows` to its SQL type: the key first, then the features in the order of the model.
    `deploy` holds the options without which the file alone does not say enough.
    """

    name: str
    path: Path
    framework: str
    rows: pd.DataFrame
    types: dict[str, str]
    expected: pd.DataFrame
    task: str
    class_labels: list[str] = field(default_factory=list)
    deploy: dict = field(default_factory=dict)


def keep(golden: Golden) -> dict:
    """Writes the rows, proves ONNX Runtime equal to the framework, and returns the manifest's entry."""
    table = TEST_MODELS / f'{golden.name}.csv.gz'
    rows = as_stored(golden)
    write_csv(pd.concat([rows, golden.expected], axis=1), table)
    difference = largest_difference(golden.path, rows[list(golden.types)[1:]], golden.expected)
    if difference > TOLERANCE:
        raise AssertionError(f'{golden.name}: ONNX Runtime differs from {golden.framework} by {difference:.2g}')
    print(f'{golden.name}: {len(rows)} rows, largest difference {difference:.2g}')
    return entry(golden, table)


def as_stored(golden: Golden) -> pd.DataFrame:
    """The rows as PostgreSQL holds them: whole numbers in integer columns, float32 in real ones."""
    stored = {'real': 'float32', 'int2': 'Int64', 'int4': 'Int64', 'int8': 'Int64'}
    casts = {column: stored[sql] for column, sql in golden.types.items() if sql in stored}
    return golden.rows[list(golden.types)].reset_index(drop=True).astype(casts)


def entry(golden: Golden, table: Path) -> dict:
    key, *features = ({'name': name, 'type': sql} for name, sql in golden.types.items())
    model = onnx.load(golden.path, load_external_data=False)
    return {
        'name': golden.name,
        'file': os.path.relpath(golden.path, TEST_MODELS),
        'rows': table.name,
        'framework': golden.framework,
        'exporter': f'{model.producer_name} {model.producer_version}'.strip(),
        'task': golden.task,
        'inputs': 'columns' if len(model.graph.input) > 1 else 'matrix',
        'names_in_file': has_feature_names(model),
        'key': key,
        'features': features,
        'expected': list(golden.expected.columns),
        'class_labels': golden.class_labels,
        'deploy': golden.deploy,
    }
