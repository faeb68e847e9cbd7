"""What a node is made of: its inputs, attributes and outputs, drawn by dice."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

TYPES = {
    'f': np.float32,
    'd': np.float64,
    'u8': np.uint8,
    'i8': np.int8,
    'i32': np.int32,
    'i64': np.int64,
    'b': np.bool_,
    's': np.object_,
}
RANGES = {'u8': (0, 256), 'i8': (-128, 128), 'b': (0, 2)}
SIZES = (1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 32, 33, 64)


class Dice:
    def __init__(self, seed: int):
        self.random = np.random.default_rng(seed)

    def whole(self, low: int, high: int) -> int:
        """Of both ends, too."""
        return int(self.random.integers(low, high + 1))

    def pick(self, *choices):
        return choices[self.whole(0, len(choices) - 1)]

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def size(self) -> int:
        return self.pick(*SIZES)


@dataclass(frozen=True)
class Input:
    type: str
    shape: list[int]
    range: tuple[float, float] | None = None
    optional: bool = False
    constant: float | None = None
    """How often it is an initializer; as often as the other inputs of its node where None."""


@dataclass
class Node:
    inputs: list[Input | None]
    attributes: dict = field(default_factory=dict)
    outputs: int = 1


def scale(shape: list[int] | None = None, **more) -> Input:
    return Input('f', shape or [], (0.01, 0.5), **more)


def indices(shape: list[int], end: int, type: str = 'i32', **more) -> Input:
    return Input(type, shape, (0, end), **more)


Maker = Callable[[Dice, str], Node]


class Operators(dict[str, Maker]):
    """Operators of one domain by name, each with what makes a node that is right."""

    def made_by(self, *names: str) -> Callable[[Callable], Callable]:
        def add(make: Callable) -> Callable:
            for name in names:
                self[name] = make
            return make

        return add
