"""Cases of scikit-learn: fitted here, exported by skl2onnx in each of its usual calls."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from feature_names import name_features
from skl2onnx import to_onnx
from skl2onnx.common.data_types import (
    BooleanTensorType,
    DoubleTensorType,
    FloatTensorType,
    Int64TensorType,
    StringTensorType,
)

from case import Case, versioned
from tables import Table

FRAMEWORK = versioned('scikit-learn')
EXPORTER = versioned('skl2onnx')
TENSORS = {
    'real': FloatTensorType,
    'numeric': FloatTensorType,
    'double precision': FloatTensorType,
    'int2': Int64TensorType,
    'int4': Int64TensorType,
    'bigint': Int64TensorType,
    'text': StringTensorType,
    'varchar(10)': StringTensorType,
    'char(3)': StringTensorType,
    'boolean': BooleanTensorType,
}


def matrix(
    name: str,
    model: Any,
    table: Table,
    *,
    kind: str,
    options: dict | None = None,
    named: bool = True,
    double: bool = False,
    truth: Any = None,
    names: list[str] | None = None,
    final: Any = None,
    **more,
) -> Case:
    """A model of one matrix; its columns are named in the file, or at deploy where not `named`."""
    width = np.float64 if double else np.float32
    if double:
        table = replace(table, types=doubles(table.types))
    values, scored = table.matrix(table.known, width), table.matrix(table.rows, width)
    target = table.truth if truth is None else truth
    if more.pop('whole', False):
        target = pd.factorize(np.asarray(target), sort=True)[0]
    model.fit(values, target if target is None else np.asarray(target))
    keyed = None if options is None else {id(final if final is not None else model): options}
    exported = to_onnx(model, values[:1], options=keyed, target_opset=more.pop('opset', None))
    deploy = more.pop('deploy', {})
    if named:
        name_features(exported, table.names)
    else:
        deploy = {'features': table.names, **deploy}
    return Case(
        name=name,
        framework=FRAMEWORK,
        exporter=EXPORTER,
        estimator=more.pop('estimator', type(model).__name__),
        export=more.pop('export', call_of('F[:1]', options, double)),
        kind=kind,
        model=exported,
        rows=table.rows,
        types=table.types,
        answers=more.pop('answers', answers)(model, scored, kind),
        names=names if names is not None else classes_of(model, kind),
        deploy=deploy,
        **more,
    )


def columns(name: str, model: Any, table: Table, *, kind: str, estimator: str, options: dict | None = None, **more) -> Case:
    """A pipeline of one input a column, with a tensor type for each type of column."""
    model.fit(table.known, np.asarray(table.truth))
    given = more.pop('tensors', {})
    inputs = [(name, given.get(name, TENSORS.get(sql.split('(6')[0], FloatTensorType))([None, 1])) for name, sql in table.types.items()]
    exported = to_onnx(model, initial_types=inputs, options=more.pop('keyed', None if options is None else {id(model): options}))
    return Case(
        name=name,
        framework=FRAMEWORK,
        exporter=EXPORTER,
        estimator=estimator,
        export=more.pop('export', call_of('initial_types=[…]', options, False)),
        kind=kind,
        model=exported,
        rows=table.rows,
        types=table.types,
        answers=answers(model, table.rows, kind),
        names=classes_of(model, kind),
        **more,
    )


def doubles(types: dict[str, str]) -> dict[str, str]:
    """Where a feature is float64, a column of `real` would be another number by some ways."""
    return {name: 'double precision' if sql == 'real' else sql for name, sql in types.items()}


def call_of(first: str, options: dict | None, double: bool) -> str:
    given = '' if options is None else f', options={options}'
    return f'to_onnx(model, {first}{given})' + (' with float64' if double else '')


def classes_of(model: Any, kind: str) -> list[str]:
    if kind in ('binary', 'multiclass', 'margins'):
        return [str(int(label)) if isinstance(label, bool | np.bool_) else str(label) for label in model.classes_]
    return []


def answers(model: Any, scored: np.ndarray | pd.DataFrame, kind: str) -> dict:
    """What the model says of rows."""
    if kind == 'regression':
        return {'value': model.predict(scored)}
    if kind == 'margins':
        margins = model.decision_function(scored)
        return {'label': model.predict(scored), 'margin' if margins.ndim == 1 else 'margins': margins}
    if kind == 'multi_target':
        return {'values': model.predict(scored)}
    if kind == 'multilabel':
        several = model.predict_proba(scored)
        if isinstance(several, list):
            several = np.column_stack([part[:, 1] for part in several])
        return {'probabilities': several, 'labels': np.asarray(model.predict(scored)).astype(int)}
    if kind == 'embedding':
        return {'vector': np.asarray(model.transform(scored))}
    probabilities = model.predict_proba(scored)
    label = np.ravel(model.predict(scored))
    if kind == 'binary':
        return {'label': label, 'score': probabilities[:, 1], 'probabilities': probabilities}
    return {'label': label, 'probabilities': probabilities}


__all__ = ['DoubleTensorType', 'columns', 'matrix']
