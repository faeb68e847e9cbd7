"""Bodies inside bodies, deeper than protobuf's own limit of 100 messages, so the bytes are joined by hand."""

import onnx
from onnx import AttributeProto, TensorProto, helper

from hostile import Hostile, model, row_sum, score

MODEL_GRAPH, GRAPH_NODE, NODE_ATTRIBUTE, ATTRIBUTE_GRAPH = 7, 1, 5, 6
YES = helper.make_tensor('yes', TensorProto.BOOL, [], [True])


def part(number: int, payload: bytes) -> bytes:
    """A length-delimited protobuf field."""
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def varint(value: int) -> bytes:
    low = value & 0x7F
    return bytes([low]) if value < 0x80 else bytes([low | 0x80]) + varint(value >> 7)


def value(name: str) -> onnx.ValueInfoProto:
    return score(name, (None, None))


def relu(output: str) -> onnx.GraphProto:
    return helper.make_graph([helper.make_node('Relu', ['X'], [output])], output, [], [value(output)])


def branching(output: str, then_branch: bytes) -> bytes:
    """An If node whose first branch is these bytes of a graph."""
    node = helper.make_node('If', ['yes'], [output], else_branch=relu(f'{output}_else')).SerializeToString()
    name = AttributeProto(name='then_branch', type=AttributeProto.GRAPH).SerializeToString()
    return node + part(NODE_ATTRIBUTE, name + part(ATTRIBUTE_GRAPH, then_branch))


def nested(depth: int) -> bytes:
    body = relu('inner_0').SerializeToString()
    for level in range(1, depth):
        output = f'inner_{level}'
        body = (
            part(GRAPH_NODE, branching(output, body))
            + helper.make_graph([], output, [], [value(output)]).SerializeToString()
        )
    whole = model([row_sum('chosen', 'score')], tensors=[YES])
    graph = part(GRAPH_NODE, branching('chosen', body)) + whole.graph.SerializeToString()
    whole.ClearField('graph')
    return whole.SerializeToString() + part(MODEL_GRAPH, graph)


def cases() -> list[Hostile]:
    return [
        Hostile('deep_nesting.onnx', 'an If nested 50 deep', nested(50)),
        Hostile('deep_nesting_readable.onnx', 'an If nested 30 deep, which protobuf still reads', nested(30)),
    ]
