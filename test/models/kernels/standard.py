"""Operators of ONNX that most models have."""

from nodes import Dice, Input, Node, Operators, indices, scale

STANDARD = Operators()
made_by = STANDARD.made_by

NUMBERS = ('f', 'd', 'i64', 'i32')


def matrix(dice: Dice) -> list[int]:
    return [dice.whole(1, 9), dice.size()]


def cube(dice: Dice) -> list[int]:
    return [dice.whole(1, 3), dice.whole(1, 9), dice.size()]


@made_by('Concat')
def concat(dice: Dice, op: str) -> Node:
    shape, axis, type = matrix(dice), dice.whole(-2, 1), dice.pick(*NUMBERS, 'b', 's')
    inputs = []
    for _ in range(dice.whole(1, 4)):
        part = list(shape)
        part[axis] = dice.size()
        inputs.append(Input(type, part))
    return Node(inputs, {'axis': axis})


@made_by('Add', 'Sub', 'Mul', 'Div', 'Max', 'Min', 'Pow', 'Greater', 'Equal', 'Less', 'Sum', 'Mod', 'PRelu')
def pair(dice: Dice, op: str) -> Node:
    shape, type = cube(dice), 'f' if op in ('Sum', 'PRelu') else dice.pick(*NUMBERS)
    range = (1, 5) if type.startswith('i') and op in ('Div', 'Mod') else None
    other = dice.pick(shape, shape[1:], shape[2:], [1], [], [shape[0], 1, 1], [1, shape[1], 1])
    return Node([Input(type, shape), Input(type, other, range)], {'fmod': dice.whole(0, 1)} if op == 'Mod' else {})


@made_by('Where')
def where(dice: Dice, op: str) -> Node:
    shape, type = cube(dice), dice.pick(*NUMBERS, 's')
    forms = (shape, shape[1:], shape[2:], [1], [shape[0], 1, 1])
    return Node([Input('b', dice.pick(*forms)), Input(type, dice.pick(*forms)), Input(type, dice.pick(*forms))])


@made_by('Cast', 'Neg', 'Relu', 'Exp', 'Log', 'Sigmoid', 'Tanh', 'Erf', 'Transpose', 'Flatten', 'Shape', 'NonZero')
def alone(dice: Dice, op: str) -> Node:
    attributes = {
        'Cast': {'to': dice.pick(1, 2, 3, 6, 7, 8, 9, 10, 11)},
        'Transpose': {'perm': dice.pick([0, 2, 1], [2, 1, 0], [1, 2, 0])},
        'Flatten': {'axis': dice.whole(-3, 3)},
        'Shape': {'start': dice.whole(-3, 3), 'end': dice.whole(-3, 3)},
    }
    return Node([Input('f', cube(dice))], attributes.get(op, {}))


@made_by('Reshape', 'Expand', 'Tile')
def to_shape(dice: Dice, op: str) -> Node:
    (b, s, k), type = cube(dice), dice.pick(*NUMBERS, 's')
    length = dice.whole(1, 4)
    ranges = {'Reshape': (-1, dice.pick(1, 2, 9)), 'Expand': (1, 5), 'Tile': (0, 4)}
    shape = dice.pick([b, s, k], [b, 1, k], [1, 1, 1])
    return Node([Input(type, shape), Input('i64', [3 if op == 'Tile' else length], ranges[op])])


@made_by('Gather', 'GatherElements', 'GatherND', 'ScatterElements', 'ScatterND')
def by_index(dice: Dice, op: str) -> Node:
    shape, type, axis = cube(dice), dice.pick(*NUMBERS, 's'), dice.whole(-3, 2)
    many = op.endswith('ND')
    depth = dice.whole(1, 3)
    taken = dice.pick([2, 3, depth], [4, depth]) if many else list(shape)
    updates = [*taken[:-1], *shape[depth:]] if many else taken
    end = min(shape) if many or dice.chance(0.5) else shape[axis]
    inputs = [Input(type, shape), Input('i64', taken, (-end, end))]
    if op.startswith('Scatter'):
        inputs.append(Input(type, updates))
    if op == 'GatherND':
        return Node(inputs, {'batch_dims': dice.pick(0, 0, 1)})
    reduction = {'reduction': dice.pick('none', 'add', 'mul')} if op.startswith('Scatter') else {}
    return Node(inputs, reduction | ({} if many else {'axis': axis}))


@made_by('Gemm', 'MatMul', 'MatMulInteger')
def product(dice: Dice, op: str) -> Node:
    (b, s, k), n, type = cube(dice), dice.size(), dice.pick('f', 'd')
    if op == 'MatMulInteger':
        a, w = dice.pick('u8', 'i8'), dice.pick('u8', 'i8')
        zeros = [Input(a, dice.pick([], [1]), optional=True), Input(w, dice.pick([], [n]), optional=True)]
        return Node([Input(a, dice.pick([b, s, k], [s, k])), Input(w, [k, n]), *zeros])
    if op == 'MatMul':
        type = dice.pick(*NUMBERS)
        forms = ([b, s, k], [k, n]), ([b, s, k], [b, k, n]), ([s, k], [b, k, n]), ([k], [k, n]), ([s, k], [k])
        return Node([Input(type, shape) for shape in dice.pick(*forms)])
    left, right = dice.whole(0, 1), dice.whole(0, 1)
    added = Input(type, dice.pick([n], [s, n], [1], [], [1, n], [s, 1]), optional=True)
    inputs = [Input(type, [k, s] if left else [s, k]), Input(type, [n, k] if right else [k, n]), added]
    return Node(inputs, {'transA': left, 'transB': right, 'alpha': 0.5, 'beta': 2.0})


@made_by('ReduceMax', 'ReduceProd', 'ReduceMean', 'ReduceSumSquare', 'ReduceLogSumExp', 'ReduceL2', 'ReduceSum')
def reduce(dice: Dice, op: str) -> Node:
    kept = {'keepdims': dice.whole(0, 1)}
    axes = dice.pick([0], [1], [-1], [0, 1], [0, 2], [1, 2], [0, 1, 2])
    if op == 'ReduceSum':
        empty = {'noop_with_empty_axes': dice.whole(0, 1)}
        return Node([Input('f', cube(dice)), Input('i64', [len(axes)], (-3, 3), optional=True)], kept | empty)
    return Node([Input(dice.pick('f', 'd', 'i32'), cube(dice))], kept | {'axes': axes})


@made_by('ArgMax', 'ArgMin', 'Softmax', 'LogSoftmax', 'CumSum', 'TopK', 'Compress', 'Hardmax')
def on_axis(dice: Dice, op: str) -> Node:
    shape, axis, type = cube(dice), dice.whole(-3, 2), dice.pick('f', 'd')
    if op == 'CumSum':
        flags = {'exclusive': dice.whole(0, 1), 'reverse': dice.whole(0, 1)}
        return Node([Input(type, shape), indices([], 3)], flags)
    if op == 'TopK':
        flags = {'axis': axis, 'largest': dice.whole(0, 1), 'sorted': dice.whole(0, 1)}
        return Node([Input(type, shape), Input('i64', [1], (0, shape[axis] + 1))], flags, 2)
    if op == 'Compress':
        return Node([Input(type, shape), Input('b', [shape[axis]])], {'axis': axis} if dice.chance(0.8) else {})
    flags = {'keepdims': dice.whole(0, 1), 'select_last_index': dice.whole(0, 1)} if op.startswith('Arg') else {}
    return Node([Input('f' if op == 'Hardmax' else type, shape)], flags | {'axis': axis})


@made_by('Unsqueeze', 'Squeeze', 'Slice', 'Split', 'Pad')
def by_axes(dice: Dice, op: str) -> Node:
    shape, type = cube(dice), dice.pick(*NUMBERS)
    if op == 'Slice':
        axes = dice.whole(1, 3)
        ends = [Input('i64', [axes], (-9, 9)), Input('i64', [axes], (-9, 99))]
        return Node([Input(type, shape), *ends, Input('i64', [axes], (-3, 3)), Input('i64', [axes], (-3, 4))])
    if op == 'Split':
        parts, axis = dice.whole(1, 4), dice.whole(-3, 2)
        shape[axis] = 2 * parts
        return Node([Input(type, shape), Input('i64', [parts], (2, 3), optional=True)], {'axis': axis}, parts)
    if op == 'Pad':
        added = [Input('i64', [6], (-2, 4)), Input('f', [], optional=True)]
        return Node([Input('f', shape), *added], {'mode': dice.pick('constant', 'reflect', 'edge')})
    form = shape if op == 'Unsqueeze' else [1, *shape[1:]]
    return Node([Input(type, form), Input('i64', [dice.whole(1, 2)], (0, 1 if op == 'Squeeze' else 4))])


@made_by('LayerNormalization', 'SimplifiedLayerNormalization', 'BatchNormalization', 'InstanceNormalization')
def normalisation(dice: Dice, op: str) -> Node:
    (b, s, k), type = cube(dice), dice.pick('f', 'd')
    if op == 'BatchNormalization':
        each = [Input(type, [s]) for _ in range(3)]
        return Node([Input(type, [b, s, k]), *each, Input(type, [s], (0.1, 1))], {'epsilon': 1e-5})
    if op == 'InstanceNormalization':
        return Node([Input('f', [b, s, k]), Input('f', [s]), Input('f', [s])], {'epsilon': 1e-5})
    axis = dice.pick(-1, -1, 1)
    each = [k] if axis == -1 else [s, k]
    bias = [Input(type, each, optional=True)] if op == 'LayerNormalization' else []
    return Node([Input(type, [b, s, k]), Input(type, each), *bias], {'axis': axis, 'epsilon': 1e-5})


@made_by('Conv', 'MaxPool', 'AveragePool', 'ConvTranspose')
def window(dice: Dice, op: str) -> Node:
    groups, axes, kernel = dice.pick(1, 1, 2), dice.pick(1, 2, 2, 3), dice.whole(1, 4)
    b, extent = dice.whole(1, 3), [dice.whole(kernel, 12) for _ in range(axes)]
    attributes = {'kernel_shape': [kernel] * axes, 'strides': [dice.whole(1, 3)] * axes}
    attributes |= {'pads': [dice.whole(0, max(0, kernel - 1))] * (2 * axes)}
    outputs, channels = groups * dice.whole(1, 9), dice.whole(1, 9)
    if op.endswith('Pool'):
        attributes['ceil_mode'] = dice.whole(0, 1)
        return Node([Input('f', [b, channels, *extent])], attributes, dice.pick(1, 2) if op == 'MaxPool' else 1)
    attributes |= {'group': groups, 'dilations': [dice.whole(1, 2)] * axes}
    taken = channels * groups
    weights = [taken, outputs // groups] if op == 'ConvTranspose' else [outputs, channels]
    inputs = [Input('f', [b, taken, *extent]), Input('f', [*weights, *[kernel] * axes])]
    return Node([*inputs, Input('f', [outputs], optional=True)], attributes)


@made_by('LSTM', 'GRU', 'RNN')
def recurrent(dice: Dice, op: str) -> Node:
    (s, b, k), hidden, ways = cube(dice), dice.pick(1, 4, 8, 9), dice.pick(1, 2)
    gates = {'LSTM': 4, 'GRU': 3, 'RNN': 1}[op] * hidden
    inputs = [Input('f', [s, b, k]), Input('f', [ways, gates, k]), Input('f', [ways, gates, hidden])]
    inputs += [Input('f', [ways, 2 * gates], optional=True), Input('i32', [b], (1, s + 1), optional=True)]
    state = Input('f', [ways, b, hidden], optional=True)
    more = [state, Input('f', [ways, 3 * hidden], optional=True)] if op == 'LSTM' else []
    direction = 'bidirectional' if ways == 2 else dice.pick('forward', 'reverse')
    attributes = {'hidden_size': hidden, 'direction': direction}
    return Node([*inputs, state, *more], attributes, 3 if op == 'LSTM' else 2)


@made_by('QuantizeLinear', 'DequantizeLinear', 'DynamicQuantizeLinear')
def quantise(dice: Dice, op: str) -> Node:
    shape, type = matrix(dice), dice.pick('u8', 'i8')
    if op == 'DynamicQuantizeLinear':
        return Node([Input('f', shape)], {}, 3)
    each = dice.pick([], shape[1:])
    zeros = Input(type, each, optional=True)
    return Node([Input('f' if op == 'QuantizeLinear' else type, shape), scale(each), zeros], {'axis': 1})


@made_by('QLinearMatMul')
def quantised_product(dice: Dice, op: str) -> Node:
    (b, s, k), n, type = cube(dice), dice.size(), dice.pick('u8', 'i8')
    each = dice.pick([], [n])
    inputs = [Input(type, [b, s, k]), scale(), Input(type, []), Input(type, [k, n]), scale(each), Input(type, each)]
    return Node([*inputs, scale(), Input(type, [])])


@made_by('OneHot', 'Range', 'ConstantOfShape', 'EyeLike', 'Trilu', 'Unique', 'Clip', 'ReverseSequence')
def other(dice: Dice, op: str) -> Node:
    shape = matrix(dice)
    forms = {
        'OneHot': Node([Input('i64', shape, (-5, 9)), Input('i64', [], (1, 9)), Input('f', [2])], {'axis': -1}),
        'Range': Node([Input('i64', [], (0, 3)), Input('i64', [], (3, 99)), Input('i64', [], (1, 4))]),
        'ConstantOfShape': Node([Input('i64', [dice.whole(0, 3)], (0, 9))]),
        'EyeLike': Node([Input('f', shape)], {'k': dice.whole(-9, 9)}),
        'Trilu': Node([Input('f', shape), Input('i64', [], (-9, 9), optional=True)], {'upper': dice.whole(0, 1)}),
        'Unique': Node([Input('f', shape)], {'axis': dice.whole(-2, 1), 'sorted': dice.whole(0, 1)}, 4),
        'Clip': Node([Input('f', shape), Input('f', [], optional=True), Input('f', [], optional=True)]),
        'ReverseSequence': Node([Input('f', shape), Input('i64', shape[1:], (0, shape[0] + 1))], {'time_axis': 0}),
    }
    return forms[op]
