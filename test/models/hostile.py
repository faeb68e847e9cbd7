"""One broken or malicious model, and the small parts that each is built from.

Every graph has five float features with names, unless names are what is wrong with it, so that only one thing is wrong.
"""

from dataclasses import dataclass

import onnx
from onnx import TensorProto, helper

from feature_names import name_features

WIDTH = 5
NAMES = ['a', 'b', 'c', 'd', 'e']
ROW_COUNT = None


@dataclass(frozen=True)
class Hostile:
    """A deploy must refuse it, unless given `options`; one that is `usable` only looks bad and must score."""

    file: str
    wrong: str
    content: bytes
    usable: bool = False
    options: dict | None = None

    @property
    def outcome(self) -> str:
        if self.usable:
            return 'usable'
        return 'refused' if self.options is None else 'refused_without_options'


def matrix(name: str = 'X', kind: int = TensorProto.FLOAT, shape: tuple = (ROW_COUNT, WIDTH)) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def score(name: str = 'score', shape: tuple = (ROW_COUNT, 1), kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def row_sum(source: str, target: str) -> onnx.NodeProto:
    """[n, 5] -> [n, 1]: the plainest score."""
    return helper.make_node('ReduceL1', [source], [target], axes=[1], keepdims=1)


def model(
    nodes, *, inputs=None, outputs=None, tensors=(), names=NAMES, sparse=(), functions=(), opsets=()
) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, 'hostile', inputs or [matrix()], outputs or [score()], list(tensors))
    graph.sparse_initializer.extend(sparse)
    built = helper.make_model(
        graph,
        ir_version=8,
        functions=list(functions),
        producer_name='onnx.helper',
        opset_imports=[helper.make_opsetid('', 17), helper.make_opsetid('ai.onnx.ml', 3), *opsets],
    )
    if names is not None:
        name_features(built, names)
    return built


def sound() -> onnx.ModelProto:
    """Nothing is wrong with it."""
    return model([row_sum('X', 'score')])


def hostile(file: str, wrong: str, built: onnx.ModelProto, **more) -> Hostile:
    return Hostile(f'{file}.onnx', wrong, built.SerializeToString(), **more)
