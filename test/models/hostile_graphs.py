"""Graphs with operators, nesting or wiring that must not run."""

import onnx
from onnx import TensorProto, helper

from hostile import NAMES, Hostile, hostile, matrix, model, row_sum, score

YES = helper.make_tensor('yes', TensorProto.BOOL, [], [True])


def value(name: str) -> onnx.ValueInfoProto:
    return score(name, (None, None))


def endless_loop(**more) -> onnx.ModelProto:
    """A Loop without a trip count whose condition stays true."""
    body = helper.make_graph(
        [helper.make_node('Identity', ['still'], ['again']), helper.make_node('Relu', ['carried'], ['next'])],
        'body',
        [
            helper.make_tensor_value_info('turn', TensorProto.INT64, []),
            helper.make_tensor_value_info('still', TensorProto.BOOL, []),
            value('carried'),
        ],
        [helper.make_tensor_value_info('again', TensorProto.BOOL, []), value('next')],
    )
    loop = helper.make_node('Loop', ['', 'yes', 'X'], ['looped'], body=body)
    return model([loop, row_sum('looped', 'score')], tensors=[YES], **more)


def disguised_loop() -> onnx.ModelProto:
    """The same, with a function of the model named Loop: an allow-list that trusts such names lets it pass."""
    harmless = helper.make_function(
        '',
        'Loop',
        ['a', 'b', 'c'],
        ['out'],
        [helper.make_node('Identity', ['c'], ['out'])],
        [helper.make_opsetid('', 17)],
    )
    return endless_loop(functions=[harmless])


def calls_itself() -> onnx.ModelProto:
    opsets = [helper.make_opsetid('', 17), helper.make_opsetid('local', 1)]
    call = helper.make_node('Again', ['a'], ['b'], domain='local')
    function = helper.make_function('local', 'Again', ['a'], ['b'], [call], opsets)
    first = helper.make_node('Again', ['X'], ['again'], domain='local')
    return model([first, row_sum('again', 'score')], functions=[function], opsets=[helper.make_opsetid('local', 1)])


def function_bomb() -> onnx.ModelProto:
    """40 functions, each calling the one below twice: 2^40 nodes once inlined."""
    opsets = [helper.make_opsetid('', 17), helper.make_opsetid('local', 1)]
    functions = [helper.make_function('local', 'F0', ['a'], ['c'], [helper.make_node('Relu', ['a'], ['c'])], opsets)]
    for level in range(1, 41):
        below = [
            helper.make_node(f'F{level - 1}', [source], [target], domain='local')
            for source, target in (('a', 'b'), ('b', 'c'))
        ]
        functions.append(helper.make_function('local', f'F{level}', ['a'], ['c'], below, opsets))
    call = helper.make_node('F40', ['X'], ['doubled'], domain='local')
    return model([call, row_sum('doubled', 'score')], functions=functions, opsets=[helper.make_opsetid('local', 1)])


def through(node: onnx.NodeProto, **more) -> onnx.ModelProto:
    """`node` reads X and writes Y, which is summed."""
    return model([node, row_sum('Y', 'score')], **more)


def unsupported_opset() -> onnx.ModelProto:
    future = through(helper.make_node('Relu', ['X'], ['Y']))
    future.opset_import[0].version = 999
    return future


def cases() -> list[Hostile]:
    node = helper.make_node
    cycle = [node('Add', ['X', 'B'], ['A']), node('Relu', ['A'], ['B']), row_sum('B', 'score')]
    complex_numbers = matrix(kind=TensorProto.COMPLEX64)
    image = [matrix('image', shape=(None, 3, 8, 8))]
    return [
        hostile(
            'unknown_op',
            'an operator Frobnicate, which ONNX does not define',
            through(node('Frobnicate', ['X'], ['Y'])),
        ),
        hostile(
            'unknown_domain',
            'an operator of com.example',
            through(node('Relu', ['X'], ['Y'], domain='com.example'), opsets=[helper.make_opsetid('com.example', 1)]),
        ),
        hostile('unknown_opset', 'opset 999', unsupported_opset()),
        hostile('endless_loop', 'a Loop that never ends when run', endless_loop()),
        hostile(
            'disguised_loop',
            'the endless Loop, with a harmless function of the same name defined in the model',
            disguised_loop(),
        ),
        hostile('recursive_function', 'a function of the model that calls itself', calls_itself()),
        hostile('function_bomb', '40 functions that double: 2^40 nodes once inlined', function_bomb()),
        hostile(
            'random_score',
            'adds random noise: the same row scores differently each time',
            through(node('RandomUniformLike', ['X'], ['Y'])),
        ),
        hostile('cycle', 'two nodes that wait for each other', model(cycle)),
        hostile(
            'dangling_input',
            'a node that reads what nothing writes',
            model([node('Add', ['X', 'nowhere'], ['Y']), row_sum('Y', 'score')]),
        ),
        hostile('no_inputs', 'scores without reading anything', no_inputs()),
        hostile(
            'image_input',
            'an input of rank 4',
            model(
                [node('ReduceMean', ['image'], ['mean'], axes=[1, 2, 3], keepdims=0)],
                inputs=image,
                outputs=[score('mean', (None,))],
            ),
        ),
        hostile(
            'complex_input',
            'an input type that no column maps to',
            model([node('Cast', ['X'], ['Y'], to=TensorProto.FLOAT), row_sum('Y', 'score')], inputs=[complex_numbers]),
        ),
        hostile(
            'unknown_width',
            'a matrix input whose width is open',
            model([row_sum('X', 'score')], inputs=[matrix(shape=(None, None))], names=None),
            options={'features': NAMES},
        ),
    ]


def no_inputs() -> onnx.ModelProto:
    built = model(
        [helper.make_node('Constant', [], ['score'], value=helper.make_tensor('one', TensorProto.FLOAT, [1, 1], [1.0]))]
    )
    del built.graph.input[:]
    return built
