"""PyTorch: both of its exporters, every kind of answer, arrays, sequences and tokens."""

import io
import tempfile
from pathlib import Path

import numpy as np
import onnx
import torch
from feature_names import name_features
from torch import nn

import nets
import tables
from case import Case, versioned

SIMPLE = nn.functional
QUANTILES = [0.1, 0.5, 0.9]


def dynamo(net, inputs, *, rows=True, names=None, outputs=None):
    shapes = {'dynamic_shapes': tuple({0: torch.export.Dim('rows')} for _ in inputs)} if rows else {}
    torch.manual_seed(7)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'model.onnx')
        torch.onnx.export(
            net, inputs, str(path), dynamo=True, external_data=False, input_names=names, output_names=outputs, verbose=False, **shapes
        )
        model = onnx.load(path)
    # What the exporter notes of this machine's folders.
    for node in [node for graph in [model.graph, *model.functions] for node in getattr(graph, 'node', [])]:
        del node.metadata_props[:]
    return model


def script(net, inputs, *, rows=True, names=None, outputs=None):
    names = names or [f'X{index}' if index else 'X' for index in range(len(inputs))]
    outputs = outputs or ['output']
    axes = {'dynamic_axes': {name: {0: 'rows'} for name in [*names, *outputs]}} if rows else {}
    file = io.BytesIO()
    torch.onnx.export(net, inputs, file, dynamo=False, input_names=names, output_names=outputs, opset_version=17, **axes)
    return onnx.load_from_string(file.getvalue())


CALLS = {
    dynamo: 'torch.onnx.export(net, (x,), dynamic_shapes=…)',
    script: 'torch.onnx.export(net, (x,), dynamo=False, dynamic_axes=…)',
}


def codes(table):
    values = table.truth.astype('category')
    return torch.tensor(values.cat.codes.to_numpy()).long(), [str(label) for label in values.cat.categories]


def scaled(truth):
    return torch.tensor(np.asarray(truth, np.float32).reshape(len(truth), -1))


def case(name, net, table, kind, answers, *, exporter=dynamo, inputs=None, rows=True, features=None, outputs=None, **more):
    scored = (torch.from_numpy(table.scored),) if inputs is None else inputs
    sample = tuple(part[:1] if not rows else part[:3] for part in scored)
    given = more.pop('input_names', None)
    model = exporter(net, sample, rows=rows, names=given, outputs=outputs)
    deploy = more.pop('deploy', {})
    if features is None and given is None:
        name_features(model, table.names)
    elif features is not None:
        deploy = {'features': features, **deploy}
    feeds = {node.name: part.numpy() for node, part in zip(model.graph.input, scored, strict=True)}
    call = CALLS[exporter] if rows else 'torch.onnx.export(net, (x,)), one row at a time'
    return Case(
        name=name,
        framework=versioned('torch'),
        exporter='torchscript' if exporter is script else versioned('onnxscript'),
        estimator=more.pop('estimator'),
        export=more.pop('export', call),
        kind=kind,
        model=model,
        rows=table.rows,
        types=table.types,
        answers=answers,
        deploy=deploy,
        feeds=feeds,
        **more,
    )


def two(name, *, ending='sigmoid', exporter=dynamo, middle=None, rows=True, limit=None, estimator, **more):
    def make():
        table = tables.cancer()
        truth, labels = codes(table)
        torch.manual_seed(7)
        net = nets.dense(table.learned, 1, *([nn.Sigmoid()] if ending == 'sigmoid' else []), middle=middle)
        loss = SIMPLE.binary_cross_entropy if ending == 'sigmoid' else SIMPLE.binary_cross_entropy_with_logits
        nets.fit(net, (torch.from_numpy(table.learned),), lambda given: loss(given, truth.float()[:, None]))
        if more.get('training'):
            net.train()
        given = nets.answer(net.eval() if not more.get('training') else net, torch.from_numpy(table.scored)).astype(np.float64)
        positive = given if ending == 'sigmoid' else 1 / (1 + np.exp(-given))
        answers = {
            'label': np.asarray(labels)[(positive.ravel() > (limit or 0.5)).astype(int)],
            'score': positive,
            'probabilities': np.hstack([1 - positive, positive]),
        }
        options = {'class_labels': labels, **({} if ending == 'sigmoid' else {'logits': True})}
        tolerance = 1e-5 if ending == 'sigmoid' else np.inf
        return case(
            name,
            net if limit is None else nets.Labelled(net, limit),
            table,
            'binary',
            answers,
            exporter=exporter,
            rows=rows,
            names=labels,
            deploy=options,
            estimator=estimator,
            tolerance=tolerance,
        )

    return make


def several(name, *, ending='softmax', exporter=dynamo, table=tables.iris, labelled=False, estimator, middle=None):
    def make():
        given = table()
        truth, labels = codes(given)
        torch.manual_seed(7)
        last = {'softmax': [nn.Softmax(dim=-1)], 'log_softmax': [nn.LogSoftmax(dim=-1)], 'logits': []}[ending]
        net = nets.dense(given.learned, len(labels), *last, middle=middle)
        body = net[:-1] if last else net
        nets.fit(net, (torch.from_numpy(given.learned),), lambda _: SIMPLE.cross_entropy(body(torch.from_numpy(given.learned)), truth))
        raw = nets.answer(net, torch.from_numpy(given.scored)).astype(np.float64)
        probabilities = raw if ending == 'softmax' else np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
        answers = {'label': np.asarray(labels)[probabilities.argmax(axis=1)], 'probabilities': probabilities}
        options = {'class_labels': labels, **({} if ending == 'softmax' else {'logits': True})}
        tolerance = 1e-5 if ending == 'softmax' else np.inf
        return case(
            name,
            nets.Labelled(net) if labelled else net,
            given,
            'multiclass',
            answers,
            exporter=exporter,
            names=labels,
            deploy=options,
            estimator=estimator,
            tolerance=tolerance,
        )

    return make


def numbers(name, kind, table, *, exporter=dynamo, names=None, estimator, middle=None, deploy=None):
    """One value, several targets or several labels by a column each."""

    def make():
        given = table()
        torch.manual_seed(7)
        truth = scaled(given.truth)
        last = [nn.Sigmoid()] if kind == 'multilabel' else []
        net = nets.dense(given.learned, truth.shape[1], *last, middle=middle)
        loss = SIMPLE.binary_cross_entropy if last else SIMPLE.mse_loss
        nets.fit(net, (torch.from_numpy(given.learned),), lambda predicted: loss(predicted, truth), rate=0.05)
        raw = nets.answer(net, torch.from_numpy(given.scored))
        answers = {'regression': {'value': raw}, 'multi_target': {'values': raw}}.get(
            kind, {'probabilities': raw, 'labels': (raw > 0.5).astype(int)}
        )
        return case(name, net, given, kind, answers, exporter=exporter, names=names or [], estimator=estimator, deploy=deploy or {})

    return make


def quantiles(name, *, apart, estimator):
    def make():
        table = tables.diabetes()
        torch.manual_seed(7)
        truth = scaled(table.truth)
        body = nn.Sequential(nets.Standardise(torch.from_numpy(table.learned)), nn.Linear(10, 12), nn.ReLU())
        heads = [nn.Linear(12, 1) for _ in QUANTILES] if apart else [nn.Linear(12, 3)]
        net = nets.Heads(body, *heads) if apart else nn.Sequential(body, *heads)
        nets.fit(net, (torch.from_numpy(table.learned),), nets.pinball(truth, QUANTILES), rate=0.1)
        raw = nets.answer(net, torch.from_numpy(table.scored))
        raw = np.hstack(raw) if apart else raw
        outputs = ['q10', 'q50', 'q90'] if apart else None
        names = [str(q) for q in QUANTILES]
        return case(
            name,
            net,
            table,
            'quantiles',
            {'values': raw},
            names=names,
            outputs=outputs,
            estimator=estimator,
            tolerance=np.inf if apart else 1e-5,
        )

    return make


TARGETS = ['temp', 'dewp', 'humid']
CASES = {
    'torch_sigmoid': two('torch_sigmoid', estimator='Linear, Sigmoid'),
    'torch_sigmoid_script': two('torch_sigmoid_script', exporter=script, estimator='Linear, Sigmoid'),
    'torch_one_row': two('torch_one_row', rows=False, estimator='Linear, Sigmoid'),
    'torch_norm': two('torch_norm', middle=nn.BatchNorm1d(12), estimator='BatchNorm1d, Sigmoid'),
    'torch_layer_norm': two(
        'torch_layer_norm', middle=nn.Sequential(nn.LayerNorm(12), nn.GELU(), nn.Dropout(0.1)), estimator='LayerNorm, GELU, Dropout'
    ),
    'torch_logits': two('torch_logits', ending='logits', estimator='Linear that ends in logits'),
    'torch_softmax': several('torch_softmax', estimator='Linear, Softmax'),
    'torch_softmax_script': several('torch_softmax_script', exporter=script, table=tables.wine, estimator='Linear, Softmax'),
    'torch_silu': several('torch_silu', middle=nn.SiLU(), table=tables.wine, estimator='SiLU, Softmax'),
    'torch_logits_several': several('torch_logits_several', ending='logits', estimator='Linear that ends in logits'),
    'torch_argmax': several('torch_argmax', labelled=True, estimator='Linear, Softmax, with its argmax()'),
    'torch_limit': two('torch_limit', limit=0.2, exporter=script, estimator='Linear, Sigmoid, with its label from 0.2 on'),
    'torch_log_softmax': several('torch_log_softmax', ending='log_softmax', exporter=script, estimator='Linear, LogSoftmax'),
    'torch_value': numbers('torch_value', 'regression', tables.diabetes, estimator='Linear, a number'),
    'torch_targets': numbers('torch_targets', 'multi_target', tables.climate, names=TARGETS, estimator='Linear, several targets'),
    'torch_targets_script': numbers(
        'torch_targets_script', 'multi_target', tables.climate, exporter=script, names=TARGETS, estimator='Linear, several targets'
    ),
    'torch_labels': numbers(
        'torch_labels', 'multilabel', tables.hazards, names=['windy', 'wet', 'foggy'], estimator='Linear, Sigmoid of several labels'
    ),
    'torch_quantiles': quantiles('torch_quantiles', apart=False, estimator='Linear, three quantiles'),
    'torch_interval': quantiles('torch_interval', apart=True, estimator='Linear, three quantiles as outputs'),
}
