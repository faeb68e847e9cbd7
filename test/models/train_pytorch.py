"""A PyTorch network exported with the exporter's defaults: weights in a second file, batch fixed at the example's 1."""

from pathlib import Path

import onnx
import torch
from torch import nn

import expected
from delay_task import KEY, NUMBERS, history, matrix
from flights import demo_flights
from golden import Golden, keep
from paths import TEST_MODELS
from sample import complete

LABELS = ['on_time', 'late']
STEPS = 300


class Standardise(nn.Module):
    """Scales each column by the mean and deviation of the training rows."""

    def __init__(self, values: torch.Tensor):
        super().__init__()
        self.register_buffer('mean', values.mean(dim=0))
        self.register_buffer('deviation', values.std(dim=0))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return (values - self.mean) / self.deviation


def network(values: torch.Tensor) -> nn.Sequential:
    width = len(NUMBERS)
    return nn.Sequential(
        Standardise(values),
        nn.Linear(width, 32),
        nn.ReLU(),
        nn.Linear(32, 16),
        nn.ReLU(),
        nn.Linear(16, 1),
        nn.Sigmoid(),
    )


def fit(model: nn.Module, values: torch.Tensor, late: torch.Tensor) -> None:
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(STEPS):
        optimiser.zero_grad()
        nn.functional.binary_cross_entropy(model(values), late).backward()
        optimiser.step()


def forget_stack_traces(path: Path) -> None:
    """Removes what the exporter notes of this machine's folders from every node; the rest stays as it wrote it."""
    model = onnx.load(path, load_external_data=False)
    for node in model.graph.node:
        kept = [entry for entry in node.metadata_props if entry.key != 'pkg.torch.onnx.stack_trace']
        del node.metadata_props[:]
        node.metadata_props.extend(kept)
    path.write_bytes(model.SerializeToString())


def train() -> list[dict]:
    torch.manual_seed(7)
    known = history().dropna(subset=list(NUMBERS))
    values = torch.from_numpy(matrix(known))
    model = network(values)
    fit(model, values, torch.tensor(known.was_late.to_numpy()).float().unsqueeze(1))
    model.eval()
    path = TEST_MODELS / 'pytorch_mlp.onnx'
    torch.onnx.export(model, (values[:1],), str(path))
    forget_stack_traces(path)
    rows = complete(demo_flights(), list(NUMBERS))
    with torch.no_grad():
        late = model(torch.from_numpy(matrix(rows))).double().numpy().ravel()
    probabilities = [[1 - probability, probability] for probability in late]
    predicted = [LABELS[int(probability >= 0.5)] for probability in late]
    return [
        keep(
            Golden(
                name='pytorch_mlp',
                path=path,
                framework=f'torch {torch.__version__}',
                rows=rows,
                types=KEY | NUMBERS,
                expected=expected.classes(LABELS, predicted, probabilities, positive='late'),
                task='binary',
                class_labels=LABELS,
                deploy={'features': list(NUMBERS), 'task': 'binary', 'class_labels': LABELS, 'positive_class': 'late'},
            )
        )
    ]
