"""Models that load and run, and whose results can't be kept."""

import onnx
from onnx import TensorProto, helper

from hostile import Hostile, hostile, model, row_sum, score

LABEL = score('label', (None,), TensorProto.INT64)


def quotient(numerator: str, denominator: str, target: str = 'score') -> list[onnx.NodeProto]:
    return [helper.make_node('Div', [numerator, denominator], [target])]


def zero() -> list[onnx.NodeProto]:
    return [row_sum('X', 'sum'), helper.make_node('Sub', ['sum', 'sum'], ['zero'])]


def number(name: str, value: float) -> onnx.TensorProto:
    return helper.make_tensor(name, TensorProto.FLOAT, [1], [value])


def label_of(source: str) -> list[onnx.NodeProto]:
    return [
        helper.make_node('Greater', [source, 'half'], ['above']),
        helper.make_node('Squeeze', ['above', 'axis'], ['flat']),
        helper.make_node('Cast', ['flat'], ['label'], to=TensorProto.INT64),
    ]


def impossible_probabilities() -> onnx.ModelProto:
    nodes = [
        row_sum('X', 'sum'),
        *label_of('sum'),
        helper.make_node('Concat', ['sum', 'sum'], ['probabilities'], axis=1),
    ]
    axis = helper.make_tensor('axis', TensorProto.INT64, [1], [1])
    return model(nodes, outputs=[LABEL, score('probabilities', (None, 2))], tensors=[number('half', 0.5), axis])


def batch_mean() -> onnx.ModelProto:
    """Each row against the mean of its batch, as a network left in training mode does."""
    nodes = [
        row_sum('X', 'sum'),
        helper.make_node('ReduceMean', ['sum'], ['mean'], axes=[0], keepdims=1),
        helper.make_node('Sub', ['sum', 'mean'], ['score']),
    ]
    return model(nodes)


def labels_only(target: str, kind: int, to: int) -> onnx.ModelProto:
    nodes = [row_sum('X', 'sum'), helper.make_node('Cast', ['sum'], [target], to=to)]
    return model(nodes, outputs=[score(target, (None, 1), kind)])


def cases() -> list[Hostile]:
    node = helper.make_node
    total = node('ReduceSum', ['X'], ['score'], keepdims=1)
    twice = [node('Concat', ['X', 'X'], ['two'], axis=0), row_sum('two', 'score')]
    sequence = helper.make_tensor_sequence_value_info('score', TensorProto.FLOAT, [None, 1])
    return [
        hostile('wrong_rows', 'one output row however many rows go in', model([total], outputs=[score(shape=(1, 1))])),
        hostile('more_rows', 'two output rows for each that goes in', model(twice)),
        hostile('nan_output', 'always NaN', model([*zero(), *quotient('zero', 'zero')])),
        hostile(
            'infinite_output',
            'always infinite',
            model([*zero(), *quotient('one', 'zero')], tensors=[number('one', 1.0)]),
        ),
        hostile(
            'impossible_probabilities',
            'a classifier whose probabilities are outside of 0 to 1',
            impossible_probabilities(),
        ),
        hostile('batch_dependent', 'a score that depends on the other rows of the batch', batch_mean()),
        hostile(
            'int_output',
            'whole numbers and no probabilities, as of a classifier exported without them',
            labels_only('label', TensorProto.INT64, TensorProto.INT64),
            options={'task': 'regression'},
        ),
        hostile(
            'string_output',
            'labels alone, without a score',
            labels_only('label', TensorProto.STRING, TensorProto.STRING),
        ),
        hostile(
            'bool_output',
            'true or false alone, without a score',
            labels_only('label', TensorProto.BOOL, TensorProto.BOOL),
        ),
        hostile(
            'wide_output',
            'three numbers a row, and no names for them',
            model(
                [node('Slice', ['X', 'from', 'to', 'axis'], ['score'])],
                outputs=[score(shape=(None, 3))],
                tensors=slice_bounds(),
            ),
            usable=True,
        ),
        hostile(
            'sequence_output',
            'a sequence of tensors',
            model([row_sum('X', 'sum'), node('SequenceConstruct', ['sum'], ['score'])], outputs=[sequence]),
        ),
    ]


def slice_bounds() -> list[onnx.TensorProto]:
    return [
        helper.make_tensor(name, TensorProto.INT64, [1], [value])
        for name, value in (('from', 0), ('to', 3), ('axis', 1))
    ]
