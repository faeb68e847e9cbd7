"""PyTorch over arrays, sequences, tokens and pictures."""

import numpy as np
import torch
from torch import nn

import nets
import sequences
import tables
from networks import SIMPLE, case, codes, dynamo, scaled, script


def vector(name, *, array, estimator):
    """The middle of an autoencoder of digits; its input is an array column or 64 columns."""

    def make():
        table = tables.digits()
        torch.manual_seed(7)
        values = torch.from_numpy(table.learned)
        encoder = nn.Sequential(nn.Linear(64, 16), nn.Tanh(), nn.Linear(16, 5))
        whole = nn.Sequential(encoder, nn.Linear(5, 64))
        nets.fit(whole, (values,), lambda given: SIMPLE.mse_loss(given, values))
        given = sequences.in_array(table, 'pixels', 'real[]') if array else table
        raw = nets.answer(encoder, torch.from_numpy(table.scored))
        deploy = {'features': ['pixels']} if array else {}
        return case(
            name,
            encoder,
            given,
            'embedding',
            {'vector': raw},
            inputs=(torch.from_numpy(table.scored),),
            features=['pixels'] if array else None,
            deploy=deploy,
            estimator=estimator,
        )

    return make


def columns():
    table = tables.flights()
    types = {name: table.types[name] for name in ('weekday', 'departure_hour', 'temp', 'distance')}
    given = tables.Table(table.known, table.truth, table.rows, types)
    kinds = {'weekday': torch.long, 'departure_hour': torch.long, 'temp': torch.float32, 'distance': torch.float32}

    def tensors(frame):
        return tuple(torch.tensor(frame[[name]].to_numpy(np.float64)).to(kind) for name, kind in kinds.items())

    truth = torch.tensor(np.asarray(table.truth, np.float32))[:, None]
    torch.manual_seed(7)
    net = nets.Columns()
    nets.fit(net, tensors(table.known), lambda late: SIMPLE.binary_cross_entropy(late, truth))
    late = nets.answer(net, *tensors(table.rows)).astype(np.float64)
    answers = {
        'label': np.asarray(['on_time', 'late'])[(late.ravel() > 0.5).astype(int)],
        'score': late,
        'probabilities': np.hstack([1 - late, late]),
    }
    return case(
        'torch_columns',
        net,
        given,
        'binary',
        answers,
        inputs=tensors(table.rows),
        input_names=list(kinds),
        names=['on_time', 'late'],
        deploy={'class_labels': ['on_time', 'late']},
        estimator='Embedding, Linear: one input a column',
    )


def sequence(name, build, *, exporter=dynamo, estimator):
    def make():
        table, learned, scored = sequences.days()
        torch.manual_seed(7)
        net = build()
        truth = scaled(table.truth)
        nets.fit(net, (learned,), lambda given: SIMPLE.mse_loss(given * 50, truth), rate=0.02)
        raw = nets.answer(net, scored)
        return case(
            name, net, table, 'regression', {'value': raw}, exporter=exporter, inputs=(scored,), features=['day'], estimator=estimator
        )

    return make


def tokens(name, *, exporter=dynamo, estimator, kind='multiclass'):
    def make():
        table, learned, scored, labels, truth = sequences.letters()
        torch.manual_seed(7)
        net = nets.Tokens(28, sequences.LENGTH, len(labels))
        nets.fit(net, (learned,), lambda given: SIMPLE.cross_entropy(given, truth))
        whole = nn.Sequential(net, nn.Softmax(dim=-1)) if kind == 'multiclass' else net
        whole.eval()
        raw = nets.answer(whole, scored)
        answers = {'label': np.asarray(labels)[raw.argmax(axis=1)], 'probabilities': raw} if kind == 'multiclass' else {'vector': raw}
        names = labels if kind == 'multiclass' else []
        deploy = {'class_labels': labels} if kind == 'multiclass' else {}
        return case(
            name,
            whole,
            table,
            kind,
            answers,
            exporter=exporter,
            inputs=(scored,),
            features=['letters'],
            names=names,
            deploy=deploy,
            estimator=estimator,
        )

    return make


def image():
    table = tables.digits()
    truth, labels = codes(table)
    torch.manual_seed(7)
    net = nets.Image()
    nets.fit(net, (torch.from_numpy(table.learned),), lambda given: SIMPLE.nll_loss(torch.log(given + 1e-9), truth), steps=60)
    raw = nets.answer(net, torch.from_numpy(table.scored))
    answers = {'label': np.asarray(labels)[raw.argmax(axis=1)], 'probabilities': raw}
    return case(
        'torch_image',
        net,
        table,
        'multiclass',
        answers,
        names=labels,
        deploy={'class_labels': labels},
        estimator='Conv2d, BatchNorm2d, Softmax',
    )


CASES = {
    'torch_vector': vector('torch_vector', array=False, estimator='encoder of 64 columns'),
    'torch_vector_array': vector('torch_vector_array', array=True, estimator='encoder of an array'),
    'torch_columns': columns,
    'torch_image': image,
    'torch_lstm': sequence('torch_lstm', lambda: nets.Recurrent(nn.LSTM, 3, 1), exporter=script, estimator='LSTM over a sequence'),
    'torch_gru': sequence('torch_gru', lambda: nets.Recurrent(nn.GRU, 3, 1), estimator='GRU over a sequence'),
    'torch_convolution': sequence('torch_convolution', lambda: nets.Convolution(3, 1), estimator='Conv1d over a sequence'),
    'torch_tokens': tokens('torch_tokens', estimator='transformer over tokens'),
    'torch_tokens_script': tokens('torch_tokens_script', exporter=script, estimator='transformer over tokens'),
    'torch_tokens_vector': tokens('torch_tokens_vector', kind='embedding', estimator='transformer over tokens, a vector'),
}
