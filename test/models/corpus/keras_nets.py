"""Keras over PyTorch, exported by its own export()."""

import os
import tempfile
from pathlib import Path

os.environ['KERAS_BACKEND'] = 'torch'

import keras  # noqa: E402
import numpy as np  # noqa: E402
import onnx  # noqa: E402
from feature_names import name_features  # noqa: E402

import tables  # noqa: E402
from case import Case, versioned  # noqa: E402
from networks import codes  # noqa: E402

LAYERS = keras.layers


def filled(start, values: np.ndarray):
    """Scales each column by the rows that are learned from, and takes its mean for what is missing."""
    scale = LAYERS.Normalization(mean=np.nanmean(values, axis=0), variance=np.nanvar(values, axis=0))
    return keras.ops.nan_to_num(scale(start))


def made(name, kind, table, ending, *, estimator):
    def make():
        given = table()
        keras.utils.set_random_seed(7)
        units, activation, loss = ending
        scale = LAYERS.Normalization()
        scale.adapt(given.learned)
        net = keras.Sequential(
            [LAYERS.Input((len(given.names),)), scale, LAYERS.Dense(12, activation='relu'), LAYERS.Dense(units, activation=activation)]
        )
        net.compile(optimizer=keras.optimizers.Adam(0.01), loss=loss)
        truth, labels = (np.asarray(given.truth, np.float32), []) if kind in ('regression', 'multi_target', 'multilabel') else codes(given)
        truth = truth if isinstance(truth, np.ndarray) else truth.numpy()
        net.fit(given.learned, truth, epochs=15, verbose=0)
        raw = np.asarray(net.predict(given.scored, verbose=0), np.float64)
        answers, names, options = meaning(kind, raw, labels, given)
        return case(name, net, given, kind, answers, names=names, deploy=options, estimator=estimator)

    return make


def case(name, net, table, kind, answers, **more):
    model = exported(net)
    name_features(model, table.names)
    return Case(
        name=name,
        framework=versioned('keras'),
        exporter=versioned('onnxscript'),
        export="model.export('model.onnx', format='onnx')",
        kind=kind,
        model=model,
        rows=table.rows,
        types=table.types,
        answers=answers,
        **more,
    )


def meaning(kind, raw, labels, table):
    if kind == 'regression':
        return {'value': raw}, [], {}
    if kind == 'multi_target':
        return {'values': raw}, list(table.truth), {}
    if kind == 'multilabel':
        return {'probabilities': raw, 'labels': (raw > 0.5).astype(int)}, list(table.truth), {}
    if kind == 'binary':
        both = np.hstack([1 - raw, raw])
        return (
            {'label': np.asarray(labels)[(raw.ravel() > 0.5).astype(int)], 'score': raw, 'probabilities': both},
            labels,
            {'class_labels': labels},
        )
    return {'label': np.asarray(labels)[raw.argmax(axis=1)], 'probabilities': raw}, labels, {'class_labels': labels}


def exported(net) -> onnx.ModelProto:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'model.onnx')
        net.export(str(path), format='onnx', verbose=False)
        model = onnx.load(path)
    for node in [node for graph in [model.graph, *model.functions] for node in getattr(graph, 'node', [])]:
        del node.metadata_props[:]
    return model


CASES = {
    'keras_sigmoid': made('keras_sigmoid', 'binary', tables.cancer, (1, 'sigmoid', 'binary_crossentropy'), estimator='Dense(sigmoid)'),
    'keras_softmax': made(
        'keras_softmax', 'multiclass', tables.iris, (3, 'softmax', 'sparse_categorical_crossentropy'), estimator='Dense(softmax)'
    ),
    'keras_value': made('keras_value', 'regression', tables.diabetes, (1, None, 'mse'), estimator='Dense, a number'),
    'keras_targets': made('keras_targets', 'multi_target', tables.climate, (3, None, 'mse'), estimator='Dense, several targets'),
    'keras_labels': made(
        'keras_labels', 'multilabel', tables.hazards, (3, 'sigmoid', 'binary_crossentropy'), estimator='Dense(sigmoid) of several labels'
    ),
}
