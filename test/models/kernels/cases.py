"""A model of one node that is nearly right, and the tensors to feed it: the same for each seed."""

import numpy as np
import onnx
from classic import CLASSIC
from extensions import EXTENSIONS
from mutate import mutate, values
from nodes import Dice, Operators
from onnx import helper
from standard import STANDARD

DOMAINS: dict[str, Operators] = {'com.microsoft': EXTENSIONS, '': STANDARD, 'ai.onnx.ml': CLASSIC}
OPSETS = [helper.make_opsetid('', 17), helper.make_opsetid('ai.onnx.ml', 3), helper.make_opsetid('com.microsoft', 1)]


def case(domain: str, op: str, seed: int) -> tuple[bytes, dict[str, np.ndarray]] | None:
    dice = Dice(seed)
    node = DOMAINS[domain][op](dice, op)
    wild = mutate(node, dice)
    often = dice.pick(0, 0.3, 0.9)
    names, feeds, constants = [], {}, []
    for index, taken in enumerate(node.inputs):
        names.append('' if taken is None else f'in{index}')
        if taken is None:
            continue
        drawn = values(taken, index in wild, dice)
        if drawn is None:
            return None
        if index > 0 and taken.type != 's' and dice.chance(often if taken.constant is None else taken.constant):
            constants.append(onnx.numpy_helper.from_array(drawn, names[-1]))
        else:
            feeds[names[-1]] = drawn
    inputs = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(fed.dtype), None)
        for name, fed in feeds.items()
    ]
    outputs = [onnx.ValueInfoProto(name=f'out{index}') for index in range(node.outputs)]
    attributes = {name: value for name, value in node.attributes.items() if value != []}
    made = helper.make_node(op, names, [output.name for output in outputs], domain=domain, **attributes)
    graph = helper.make_graph([made], 'one', inputs, outputs, constants)
    return helper.make_model(graph, opset_imports=OPSETS, ir_version=8).SerializeToString(), feeds
