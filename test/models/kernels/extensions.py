"""Operators of com.microsoft: those that pgscore lets in, and some that it refuses."""

from nodes import Dice, Input, Node, Operators, indices, scale

EXTENSIONS = Operators()
made_by = EXTENSIONS.made_by

BYTES = ('u8', 'i8')


def zero(type: str, **more) -> Input:
    return Input(type, [], **more)


def batch(dice: Dice) -> list[int]:
    return [dice.whole(1, 3), dice.whole(1, 9), dice.size()]


def weights_of(dice: Dice, type: str) -> str:
    """Signed inputs go with signed weights."""
    return type if type == 'i8' else dice.pick(*BYTES)


@made_by('Gelu', 'QuickGelu', 'BiasGelu', 'FastGelu')
def gelu(dice: Dice, op: str) -> Node:
    shape = batch(dice)
    bias = Input('f', shape[2:], optional=op == 'FastGelu')
    attributes = {'alpha': 1.7} if op == 'QuickGelu' and dice.chance(0.5) else {}
    return Node([Input('f', shape), *([bias] if op in ('BiasGelu', 'FastGelu') else [])], attributes)


@made_by('FusedMatMul', 'TransposeMatMul')
def fused_matmul(dice: Dice, op: str) -> Node:
    (b, s, k), n = batch(dice), dice.size()
    left, right = dice.whole(0, 1), dice.whole(0, 1)
    a, w = [b, k, s] if left else [b, s, k], [n, k] if right else [k, n]
    type = dice.pick('f', 'd') if op == 'FusedMatMul' else 'f'
    attributes = {'transA': left, 'transB': right, 'alpha': 0.5}
    if op == 'FusedMatMul':
        attributes |= {'transBatchA': int(dice.chance(0.2)), 'transBatchB': int(dice.chance(0.2))}
    return Node([Input(type, a), Input(type, [b, *w] if dice.chance(0.5) else w)], attributes)


@made_by('FusedGemm')
def fused_gemm(dice: Dice, op: str) -> Node:
    (_, s, k), n = batch(dice), dice.size()
    left, right = dice.whole(0, 1), dice.whole(0, 1)
    added = dice.pick([n], [s, n], [1], [], [1, n], [s, 1])
    activation = dice.pick('Relu', 'Tanh', 'Sigmoid', 'LeakyRelu', 'Elu', 'HardSigmoid', 'Softplus', 'Other')
    return Node(
        [
            Input('f', [k, s] if left else [s, k]),
            Input('f', [n, k] if right else [k, n]),
            Input('f', added, optional=True),
        ],
        {'transA': left, 'transB': right, 'alpha': 1.0, 'beta': 1.0}
        | {'activation': activation, 'activation_alpha': 0.1, 'activation_beta': 0.2},
    )


def convolution(dice: Dice) -> tuple[list[int], int, list[int], dict]:
    """The shape of weights, the rows, the extent of each axis and the attributes."""
    groups, axes, kernel = dice.pick(1, 1, 2), dice.pick(1, 2, 2, 3), dice.whole(1, 4)
    shape = [groups * dice.whole(1, 9), dice.whole(1, 9), *[kernel] * axes]
    attributes = {
        'group': groups,
        'kernel_shape': [kernel] * axes,
        'strides': [dice.whole(1, 3)] * axes,
        'dilations': [dice.whole(1, 2)] * axes,
        'pads': [dice.whole(0, 2)] * (2 * axes),
    }
    return shape, dice.whole(1, 3), [dice.whole(kernel, 12) for _ in range(axes)], attributes


@made_by('FusedConv')
def fused_conv(dice: Dice, op: str) -> Node:
    shape, b, extent, attributes = convolution(dice)
    attributes['activation'] = dice.pick('Relu', 'Tanh', 'Sigmoid', 'LeakyRelu', 'Clip', 'HardSigmoid', 'HardSwish')
    few = {'LeakyRelu': [0.1], 'Clip': [-1.0, 1.0], 'HardSigmoid': [0.1, 0.2]}.get(attributes['activation'], [])
    attributes['activation_params'] = few if dice.chance(0.8) else [0.1]
    covered = attributes['dilations'][0] * (shape[-1] - 1) + 1
    stride, pad = attributes['strides'][0], attributes['pads'][0]
    added = [b, shape[0], *((size + 2 * pad - covered) // stride + 1 for size in extent)]
    return Node(
        [
            Input('f', [b, shape[1] * attributes['group'], *extent]),
            Input('f', shape),
            Input('f', shape[:1], optional=True),
            Input('f', added, optional=True),
        ],
        attributes,
    )


@made_by('QLinearConv')
def quantised_conv(dice: Dice, op: str) -> Node:
    shape, b, extent, attributes = convolution(dice)
    last, type = dice.whole(0, 1), dice.pick(*BYTES)
    channels, weights, each = shape[1] * attributes['group'], weights_of(dice, type), dice.pick([], shape[:1])
    inputs = [Input(type, [b, *extent, channels] if last else [b, channels, *extent]), scale(), zero(type)]
    inputs += [Input(weights, shape), scale(each), Input(weights, each), scale(), zero(type)]
    return Node([*inputs, Input('i32', shape[:1], optional=True)], attributes | {'channels_last': last})


@made_by('SkipLayerNormalization', 'SkipSimplifiedLayerNormalization')
def skip_normalisation(dice: Dice, op: str) -> Node:
    (b, s, k), type = batch(dice), dice.pick('f', 'd')
    inputs = [Input(type, [b, s, k]), Input(type, dice.pick([b, s, k], [1, s, k], [s, k])), Input(type, [k])]
    biases = 2 if op == 'SkipLayerNormalization' else 1
    return Node(inputs + [Input(type, [k], optional=True)] * biases, {'epsilon': 1e-5}, dice.pick(1, 4))


@made_by('EmbedLayerNormalization')
def embedding(dice: Dice, op: str) -> Node:
    (b, s, k), words, places, segments = batch(dice), dice.size(), dice.whole(0, 3), 2
    weights = {'constant': 0.95}
    inputs = [
        indices([b, s], words),
        indices([b, s], segments, optional=True),
        Input('f', [words, k], **weights),
        Input('f', [s + places, k], **weights),
        Input('f', [segments, k], optional=True, **weights),
        Input('f', [k], **weights),
        Input('f', [k], **weights),
        indices([b, s], 2, optional=True),
    ]
    if dice.chance(0.1):
        inputs.append(indices(dice.pick([b, s], [1, s]), s + places))
    return Node(inputs, {'epsilon': 1e-5, 'mask_index_type': dice.whole(0, 1)}, dice.pick(2, 2, 3))


def mask(dice: Dice, b: int, s: int, seen: int) -> Input:
    shape = dice.pick([b], [2 * b], [3 * b + 2], [b, seen], [b, s, seen], [b, 1, seen, seen])
    return indices(shape, max(2, seen), optional=True)


@made_by('Attention')
def attention(dice: Dice, op: str) -> Node:
    (b, s, k), heads, each = batch(dice), dice.whole(1, 4), dice.whole(1, 9)
    sizes = [heads * each, heads * each, heads * (dice.whole(1, 5) if dice.chance(0.3) else each)]
    width = sum(sizes)
    attributes = {'num_heads': heads, 'unidirectional': dice.whole(0, 1), 'qkv_hidden_sizes': sizes}
    if sizes[0] == sizes[2] and dice.chance(0.7):
        del attributes['qkv_hidden_sizes']
    for name, value in {'do_rotary': 1, 'past_present_share_buffer': 1, 'rotary_embedding_dim': 16}.items():
        if dice.chance(0.1):
            attributes[name] = value
    bias = Input('f', dice.pick([b, heads, s, s], [1, heads, s, s], [1, 1, s, s]), optional=True)
    inputs = [Input('f', [b, s, k]), Input('f', [k, width], constant=0.95), Input('f', [width], constant=0.95)]
    past = Input('f', [2, b, heads, 1, each]) if dice.chance(0.05) else None
    return Node([*inputs, mask(dice, b, s, s), past, bias], attributes, dice.pick(1, 1, 1, 2))


@made_by('QAttention')
def quantised_attention(dice: Dice, op: str) -> Node:
    (b, s, k), heads, each, past = batch(dice), dice.whole(1, 4), dice.whole(1, 9), dice.whole(0, 4)
    width, type = 3 * heads * each, dice.pick(*BYTES)
    inputs = [Input('u8', [b, s, k]), Input(type, [k, width]), Input('f', [width]), scale()]
    size = dice.pick([], [width])
    inputs += [scale(size), mask(dice, b, s, past + s), zero('u8', optional=True)]
    inputs += [Input(type, size, optional=True)]
    inputs += [Input('f', [2, b, heads, past, each], optional=True)]
    return Node(inputs, {'num_heads': heads, 'unidirectional': dice.whole(0, 1)}, dice.pick(1, 2))


@made_by('MultiHeadAttention')
def multi_head_attention(dice: Dice, op: str) -> Node:
    (b, s, _), heads, each, keys = batch(dice), dice.whole(1, 4), dice.whole(1, 9), dice.whole(1, 9)
    hidden, values = heads * each, heads * dice.whole(1, 9)
    query, key, value = dice.pick(
        ([b, s, hidden], [b, keys, hidden], [b, keys, values]),
        ([b, s, hidden], [b, keys, hidden], [b, keys, values]),
        ([b, s, hidden], [b, heads, keys, each], [b, heads, keys, each]),
    )
    if dice.chance(0.1):
        key, value = [b, keys, heads, 2, each], None
    inputs = [Input('f', query), *(None if shape is None else Input('f', shape) for shape in (key, value))]
    inputs += [Input('f', [2 * hidden + values], optional=True), mask(dice, b, s, keys)]
    inputs += [Input('f', dice.pick([b, heads, s, keys], [1, 1, s, keys], [1, heads, s, keys]), optional=True)]
    return Node(inputs, {'num_heads': heads, 'unidirectional': dice.whole(0, 1)})


@made_by('MatMulNBits')
def matmul_of_bits(dice: Dice, op: str) -> Node:
    (b, s, _), n, bits, block = batch(dice), dice.size(), dice.pick(4, 4, 8, 2), dice.pick(16, 32, 64, 128)
    k = dice.pick(block, 2 * block, block + dice.whole(1, block))
    blocks = -(-k // block)
    attributes = {'K': k, 'N': n, 'block_size': block, 'bits': bits, 'accuracy_level': dice.pick(0, 1, 4)}
    zeros = dice.pick(('u8', [n * -(-blocks * bits // 8)]), ('f', [n * blocks]))
    inputs = [Input('f', [b, s, k]), Input('u8', [n, blocks, block * bits // 8], constant=0.95)]
    inputs += [scale(dice.pick([n * blocks], [n, blocks]), constant=0.95), Input(*zeros, optional=True, constant=0.95)]
    groups = indices([dice.pick(k, blocks * block)], blocks) if dice.chance(0.1) else None
    return Node([*inputs, groups, Input('f', [n], optional=True, constant=0.95)], attributes)


@made_by('QGemm')
def quantised_gemm(dice: Dice, op: str) -> Node:
    (_, s, k), n, type = batch(dice), dice.size(), dice.pick(*BYTES)
    left, right, weights = dice.whole(0, 1), dice.whole(0, 1), weights_of(dice, type)
    inputs = [Input(type, [k, s] if left else [s, k]), scale(), zero(type), Input(weights, [n, k] if right else [k, n])]
    each = dice.pick([], [n])
    inputs += [scale(each), Input(weights, each)]
    inputs += [Input('i32', dice.pick([n], [s, n], [1], [1, n]), optional=True)]
    result = [scale(), zero(type)] if dice.chance(0.6) else []
    return Node(inputs + result, {'transA': left, 'transB': right, 'alpha': 1.0})


@made_by('QLinearAdd', 'QLinearMul')
def quantised_pair(dice: Dice, op: str) -> Node:
    (b, s, k), type = batch(dice), dice.pick(*BYTES)
    other = dice.pick([b, s, k], [k], [1], [], [s, k], [b, 1, 1], [1, s, 1])
    inputs = [Input(type, [b, s, k]), scale(), zero(type), Input(type, other), scale(), zero(type)]
    return Node([*inputs, scale(), zero(type)])


@made_by('QLinearSigmoid', 'QLinearLeakyRelu', 'QLinearSoftmax')
def quantised_activation(dice: Dice, op: str) -> Node:
    type = dice.pick(*BYTES)
    quantised = [scale(constant=0.6), zero(type, constant=0.6)]
    attributes = {
        'QLinearSigmoid': {},
        'QLinearLeakyRelu': {'alpha': 0.1},
        'QLinearSoftmax': {'opset': dice.pick(9, 13), 'axis': dice.whole(-3, 2)},
    }
    return Node([Input(type, batch(dice)), *quantised, *quantised], attributes[op])


@made_by('QLinearConcat')
def quantised_concat(dice: Dice, op: str) -> Node:
    (_, s, k), type, axis = batch(dice), dice.pick(*BYTES), dice.whole(-2, 1)
    inputs = [scale(), zero(type)]
    for _ in range(dice.whole(1, 4)):
        shape = [s, k]
        shape[axis] = dice.size()
        inputs += [Input(type, shape), scale(constant=0.6), zero(type, constant=0.6)]
    return Node(inputs, {'axis': axis})


@made_by('QLinearAveragePool', 'QLinearGlobalAveragePool')
def quantised_pool(dice: Dice, op: str) -> Node:
    (b, _, k), last, type = batch(dice), dice.whole(0, 1), dice.pick(*BYTES)
    extent = [dice.whole(3, 9)] * 2
    attributes = {'channels_last': last}
    if op == 'QLinearAveragePool':
        attributes |= {'kernel_shape': [dice.whole(1, 3)] * 2, 'strides': [dice.whole(1, 2)] * 2}
        attributes |= {'pads': [dice.whole(0, 1)] * 4, 'ceil_mode': dice.whole(0, 1)}
        attributes |= {'count_include_pad': dice.whole(0, 1)}
    shape = [b, *extent, k] if last else [b, k, *extent]
    return Node([Input(type, shape), scale(), zero(type), scale(), zero(type)], attributes)


@made_by('DynamicQuantizeMatMul', 'MatMulIntegerToFloat')
def quantised_matmul(dice: Dice, op: str) -> Node:
    shape, n, often = batch(dice), dice.size(), {'constant': 0.95}
    type = 'f' if op == 'DynamicQuantizeMatMul' else dice.pick(*BYTES)
    weights = dice.pick(*BYTES) if type == 'f' else weights_of(dice, type)
    each = dice.pick([], [n])
    scales, zeros = scale(each, **often), Input(weights, each, optional=True, **often)
    bias = Input('f', [n], optional=True, **often)
    inputs = [Input(type, shape), Input(weights, shape[2:] + [n], **often)]
    if type == 'f':
        return Node([*inputs, scales, zeros, bias])
    return Node([*inputs, scale(), scales, zero(type, optional=True), zeros, bias])


@made_by('QuantizeLinear', 'DequantizeLinear')
def quantise(dice: Dice, op: str) -> Node:
    (_, s, k), each = batch(dice), dice.chance(0.5)
    type = dice.pick(*BYTES) if op == 'QuantizeLinear' else dice.pick(*BYTES, 'i32')
    size = [k] if each else []
    zeros = Input(type, size, optional=op == 'DequantizeLinear' or not each)
    return Node([Input('f' if op == 'QuantizeLinear' else type, [s, k]), scale(size), zeros], {'axis': 1})


@made_by('CDist')
def distances(dice: Dice, op: str) -> Node:
    (_, s, k), type = batch(dice), dice.pick('f', 'd')
    metric = dice.pick('sqeuclidean', 'euclidean', 'cosine')
    return Node([Input(type, [s, k]), Input(type, [dice.whole(1, 9), k])], {'metric': metric})


@made_by('Tokenizer')
def tokens(dice: Dice, op: str) -> Node:
    b, s, _ = batch(dice)
    attributes = {'mark': dice.whole(0, 1), 'mincharnum': dice.whole(1, 3), 'pad_value': dice.pick('#', '')}
    if dice.chance(0.6):
        attributes['tokenexp'] = dice.pick('[a-zA-Z0-9_]+', '[^ ]+', '\\w+', '.', 'a*')
    else:
        attributes['separators'] = dice.pick([' '], [''], ['[\\s,]'], [' ', ','], ['ab', 'b'])
    return Node([Input('s', dice.pick([s], [b, s]))], attributes)
