"""Small networks of PyTorch, and their training in a second."""

from typing import Any

import numpy as np
import torch
from torch import nn

STEPS = 150


class Standardise(nn.Module):
    """Scales each column by the mean and deviation of the rows that are learned from."""

    def __init__(self, values: torch.Tensor):
        super().__init__()
        self.register_buffer('mean', values.mean(dim=0))
        self.register_buffer('deviation', values.std(dim=0) + 1e-6)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return (values - self.mean) / self.deviation


class Filled(Standardise):
    """Scales each column, and takes its mean for what is missing."""

    def __init__(self, values: torch.Tensor):
        super().__init__(values[~values.isnan().any(dim=1)])

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        scaled = super().forward(values)
        return torch.where(scaled.isnan(), 0.0, scaled)


class Labelled(nn.Module):
    """Beside numbers the label: of one number whether it is above the limit, of several the largest."""

    def __init__(self, net: nn.Module, limit: float = 0.0):
        super().__init__()
        self.net, self.limit = net, limit

    def forward(self, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        numbers = self.net(values)
        label = numbers.argmax(dim=1) if numbers.shape[1] > 1 else (numbers > self.limit).long().squeeze(1)
        return label, numbers


class Recurrent(nn.Module):
    """Reads a sequence; its last state gives the answer."""

    def __init__(self, kind: type, width: int, answers: int):
        super().__init__()
        self.body = kind(width, 8, batch_first=True)
        self.head = nn.Linear(8, answers)

    def forward(self, sequence: torch.Tensor) -> torch.Tensor:
        states, _ = self.body(sequence / 50)
        return self.head(states[:, -1])


class Convolution(nn.Module):
    """A sequence as channels."""

    def __init__(self, width: int, answers: int):
        super().__init__()
        self.body = nn.Sequential(nn.Conv1d(width, 6, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten())
        self.head = nn.Linear(6, answers)

    def forward(self, sequence: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(sequence.transpose(1, 2) / 50))


class Image(nn.Module):
    """64 columns as a picture."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(54, 10), nn.Softmax(dim=-1)
        )

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.body(pixels.reshape(-1, 1, 8, 8) / 16)


class Tokens(nn.Module):
    """A transformer over tokens."""

    def __init__(self, words: int, length: int, answers: int, width: int = 8):
        super().__init__()
        self.words = nn.Embedding(words, width)
        self.places = nn.Parameter(torch.randn(length, width) * 0.1)
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)
        self.norm = nn.LayerNorm(width)
        self.mixed = nn.Sequential(nn.Linear(width, 16), nn.GELU(), nn.Linear(16, width))
        self.head = nn.Linear(width, answers)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        states = self.words(tokens) + self.places
        seen, _ = self.attention(states, states, states, need_weights=False)
        states = self.norm(states + seen)
        states = states + self.mixed(states)
        return self.head(states.mean(dim=1))


class Columns(nn.Module):
    """One input a column: whole numbers go through an embedding."""

    def __init__(self):
        super().__init__()
        self.days = nn.Embedding(8, 3)
        self.hours = nn.Embedding(24, 3)
        self.head = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 1), nn.Sigmoid())

    def forward(self, weekday: torch.Tensor, departure_hour: torch.Tensor, temp: torch.Tensor, distance: torch.Tensor):
        days, hours = self.days(weekday.squeeze(1)), self.hours(departure_hour.squeeze(1))
        return self.head(torch.cat([days, hours, temp / 50, distance / 1000], dim=1))


class Heads(nn.Module):
    """Several outputs over one body."""

    def __init__(self, body: nn.Module, *heads: nn.Module):
        super().__init__()
        self.body, self.heads = body, nn.ModuleList(heads)

    def forward(self, values: torch.Tensor):
        state = self.body(values)
        return tuple(head(state) for head in self.heads)


def dense(values: np.ndarray, answers: int, *last: nn.Module, middle: nn.Module | None = None) -> nn.Sequential:
    width = values.shape[1]
    between = [] if middle is None else [middle]
    return nn.Sequential(Standardise(torch.from_numpy(values)), nn.Linear(width, 12), *between, nn.ReLU(), nn.Linear(12, answers), *last)


def fit(net: nn.Module, inputs: tuple[torch.Tensor, ...], loss: Any, steps: int = STEPS, rate: float = 0.01) -> nn.Module:
    torch.manual_seed(7)
    optimiser = torch.optim.Adam(net.parameters(), lr=rate)
    for _ in range(steps):
        optimiser.zero_grad()
        loss(net(*inputs)).backward()
        optimiser.step()
    return net.eval()


def answer(net: nn.Module, *inputs: torch.Tensor):
    with torch.no_grad():
        given = net(*inputs)
    return tuple(part.numpy() for part in given) if isinstance(given, tuple) else given.numpy()


def pinball(truth: torch.Tensor, quantiles: list[float]):
    def loss(predicted):
        predicted = torch.cat(predicted, dim=1) if isinstance(predicted, tuple) else predicted
        errors = truth - predicted
        return sum(torch.maximum(q * errors[:, i], (q - 1) * errors[:, i]).mean() for i, q in enumerate(quantiles))

    return loss
