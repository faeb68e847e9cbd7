"""Makes a node that is right nearly right: shapes, values, attributes, or an input left out."""

from dataclasses import replace

import numpy as np
from nodes import RANGES, TYPES, Dice, Input, Node

HUGE = (0, 0, -1, 1, 2, 3, 255, 1024, 65536, 2**31 - 1, -(2**31), 2**31, 2**33, 2**62, -(2**63))
INDICES = (-1, -2, -1000, 10**6, 2**31 - 1, -(2**31))
FLOATS = (np.nan, np.inf, -np.inf, 0, 1e38, -1e30)
WORDS = ('', 'a', 'Ab cd, ef', 'über straße', '日本 語', 'a' * 200, '\x01', 'ab ba', ' ', 'x,y;z', 'ÿþ')
LARGEST = 2_000_000


def mutate(node: Node, dice: Dice) -> set[int]:
    """Changes the node, and says which inputs get a value that is out of range."""
    wild = set()
    optional = [index for index, taken in enumerate(node.inputs) if taken is not None and taken.optional]
    for index in optional:
        if dice.chance(0.5):
            node.inputs[index] = None
    for _ in range(dice.pick(0, 0, 1, 1, 1, 2, 3)):
        present = [index for index, taken in enumerate(node.inputs) if taken is not None]
        if not present:
            break
        change(node, dice, dice.pick(*present), wild)
    while node.inputs and node.inputs[-1] is None:
        node.inputs.pop()
    return wild


def change(node: Node, dice: Dice, index: int, wild: set[int]) -> None:
    kind = dice.pick('shape', 'shape', 'shape', 'shape', 'value', 'value', 'left out', 'attribute', 'no attribute')
    taken = node.inputs[index]
    if kind == 'shape':
        node.inputs[index] = replace(taken, shape=other_shape(taken.shape, dice))
    elif kind == 'value':
        wild.add(index)
    elif kind == 'left out':
        node.inputs[index] = None
    elif node.attributes:
        name = dice.pick(*node.attributes)
        if kind == 'attribute':
            node.attributes[name] = other_attribute(node.attributes[name], dice)
        else:
            del node.attributes[name]


def other_shape(shape: list[int], dice: Dice) -> list[int]:
    kind = dice.pick('zero', 'near', 'times', 'more', 'fewer', 'swapped', 'any')
    if kind == 'more' or not shape:
        at = dice.whole(0, len(shape))
        return [*shape[:at], dice.pick(1, 1, 2, 3), *shape[at:]]
    at = dice.whole(0, len(shape) - 1)
    if kind == 'fewer':
        return shape[:at] + shape[at + 1 :]
    if kind == 'swapped':
        return [*shape[:at], *shape[at : at + 2][::-1], *shape[at + 2 :]]
    size = {
        'zero': 0,
        'near': max(0, shape[at] + dice.pick(-1, 1, -2, 2, 7)),
        'times': shape[at] * dice.pick(2, 3),
        'any': dice.pick(1, 1, 2, 50, 300),
    }
    return [*shape[:at], size[kind], *shape[at + 1 :]]


def other_attribute(value, dice: Dice):
    if isinstance(value, int):
        return max(-(2**63), min(2**63 - 1, dice.pick(*HUGE, value + 1, value - 1, value * 2)))
    if isinstance(value, float):
        return dice.pick(0.0, -1.0, 1e38, float('nan'))
    if isinstance(value, list) and value:
        at = dice.whole(0, len(value) - 1)
        changed = [*value[:at], dice.pick(*HUGE) if isinstance(value[0], int) else value[0], *value[at + 1 :]]
        return dice.pick(changed, changed[:-1], [*changed, changed[0]])
    return value


def values(taken: Input, wild: bool, dice: Dice) -> np.ndarray | None:
    """Numbers or words of an input; none where they are too many."""
    count = int(np.prod(taken.shape, dtype=object)) if taken.shape else 1
    if count > LARGEST:
        return None
    if taken.type == 's':
        return np.array([dice.pick(*WORDS) for _ in range(count)], dtype=object).reshape(taken.shape)
    low, high = taken.range or RANGES.get(taken.type, (-3, 4))
    if taken.type in ('f', 'd'):
        drawn = dice.random.uniform(low, high, count)
    else:
        drawn = dice.random.integers(int(low), max(int(low) + 1, int(high)), count)
    if wild and count and taken.type in ('f', 'd', 'i32', 'i64'):
        whole = taken.type in ('i32', 'i64')
        drawn[dice.whole(0, count - 1)] = dice.pick(*INDICES, high, high + 1) if whole else dice.pick(*FLOATS)
    with np.errstate(over='ignore'):
        return drawn.astype(TYPES[taken.type]).reshape(taken.shape)
