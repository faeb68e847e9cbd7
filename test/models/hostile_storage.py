"""Tensors that lie outside of the file, or that are far larger than it."""

import onnx
from onnx import TensorProto, helper

from hostile import WIDTH, Hostile, hostile, model, row_sum, score

FAR = 1 << 20


def stored_at(location: str, name: str = 'weights') -> onnx.TensorProto:
    """A tensor of five floats whose values are said to be in the file at `location`."""
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[WIDTH], data_location=TensorProto.EXTERNAL)
    for key, value in (('location', location), ('offset', '0'), ('length', str(WIDTH * 4))):
        tensor.external_data.add(key=key, value=value)
    return tensor


def weighted(*, tensors=(), sparse=(), before=()) -> onnx.ModelProto:
    nodes = [*before, helper.make_node('Max', ['X', 'weights'], ['weighted']), row_sum('weighted', 'score')]
    return model(nodes, tensors=tensors, sparse=sparse)


def constant(tensor: onnx.TensorProto) -> onnx.NodeProto:
    return helper.make_node('Constant', [], [tensor.name], value=tensor)


def branch(tensor: onnx.TensorProto) -> onnx.GraphProto:
    return helper.make_graph([constant(tensor)], tensor.name, [], [score(tensor.name, (WIDTH,))])


def in_a_branch() -> onnx.ModelProto:
    """The condition depends on the rows, so that neither branch is folded away."""
    inside = helper.make_tensor('inside', TensorProto.FLOAT, [WIDTH], [1.0] * WIDTH)
    choose = [
        helper.make_node('ReduceMax', ['X'], ['largest'], keepdims=0),
        helper.make_node('Cast', ['largest'], ['condition'], to=TensorProto.BOOL),
        helper.make_node(
            'If',
            ['condition'],
            ['weights'],
            then_branch=branch(stored_at('weights.bin', 'outside')),
            else_branch=branch(inside),
        ),
    ]
    return weighted(before=choose)


def in_a_function() -> onnx.ModelProto:
    opsets = [helper.make_opsetid('', 17)]
    function = helper.make_function('local', 'Weights', [], ['weights'], [constant(stored_at('weights.bin'))], opsets)
    call = helper.make_node('Weights', [], ['weights'], domain='local')
    nodes = [call, helper.make_node('Max', ['X', 'weights'], ['weighted']), row_sum('weighted', 'score')]
    return model(nodes, functions=[function], opsets=[helper.make_opsetid('local', 1)])


def in_a_sparse_tensor() -> onnx.ModelProto:
    indices = helper.make_tensor('indices', TensorProto.INT64, [WIDTH], range(WIDTH))
    sparse = helper.make_sparse_tensor(stored_at('weights.bin'), indices, [WIDTH])
    return weighted(sparse=[sparse])


def declared(dims: list[int]) -> onnx.ModelProto:
    """An initializer of these dimensions with the bytes of one float; of any shape, its largest value is a scalar."""
    tensor = TensorProto(name='declared', data_type=TensorProto.FLOAT, dims=dims, raw_data=bytes(4))
    return weighted(tensors=[tensor], before=[helper.make_node('ReduceMax', ['declared'], ['weights'], keepdims=0)])


def filled(dims: list[int]) -> list[onnx.NodeProto]:
    """A tensor of these dimensions made by an operator: a few bytes in the file."""
    shape = helper.make_tensor('shape', TensorProto.INT64, [len(dims)], dims)
    return [
        helper.make_node('Constant', [], ['shape'], value=shape),
        helper.make_node('ConstantOfShape', ['shape'], ['huge']),
        helper.make_node('ReduceMax', ['huge'], ['weights'], keepdims=0),
    ]


def grown_per_row() -> onnx.ModelProto:
    """4 TB for one row, and only at run time: the size depends on the number of rows."""
    times = helper.make_tensor('times', TensorProto.INT64, [2], [FAR, FAR // WIDTH])
    return model([helper.make_node('Tile', ['X', 'times'], ['huge']), row_sum('huge', 'score')], tensors=[times])


def cases() -> list[Hostile]:
    sparse_of_4_tb = helper.make_sparse_tensor(
        helper.make_tensor('weights', TensorProto.FLOAT, [1], [1.0]),
        helper.make_tensor('at', TensorProto.INT64, [1], [0]),
        [FAR, FAR],
    )
    marker = stored_at('*/_ORT_MEM_ADDR_/*')
    return [
        hostile(
            'external_data',
            'weights in weights.bin, read from the working directory',
            weighted(tensors=[stored_at('weights.bin')]),
        ),
        hostile(
            'external_data_parent',
            'weights in ../../etc/passwd',
            weighted(tensors=[stored_at('../../../../etc/passwd')]),
        ),
        hostile('external_data_absolute', 'weights in /etc/passwd', weighted(tensors=[stored_at('/etc/passwd')])),
        hostile(
            'external_data_memory',
            "ONNX Runtime's own mark for weights at a memory address",
            weighted(tensors=[marker]),
        ),
        hostile(
            'external_data_in_attribute',
            'external weights in the attribute of a Constant',
            weighted(before=[constant(stored_at('weights.bin'))]),
        ),
        hostile('external_data_in_branch', 'external weights in the branch of an If', in_a_branch()),
        hostile('external_data_in_function', 'external weights in a function of the model', in_a_function()),
        hostile('external_data_in_sparse', 'external weights in a sparse tensor', in_a_sparse_tensor()),
        hostile('huge_tensor', 'an initializer declared as 4 TB', declared([FAR, FAR])),
        hostile('huge_sparse', 'one value in a sparse tensor of 4 TB', weighted(sparse=[sparse_of_4_tb])),
        hostile('overflowing_tensor', 'dimensions whose product overflows 64 bits to 0', declared([1 << 32, 1 << 32])),
        hostile('negative_dimension', 'an initializer with a dimension of -5', declared([-WIDTH])),
        hostile(
            'folding_bomb', 'a constant of 4 TB, computed while the model loads', weighted(before=filled([FAR, FAR]))
        ),
        hostile('huge_at_run', 'repeats each row to 4 TB when run', grown_per_row()),
    ]
