"""The networks of the benchmark: an MLP over 20 columns, and a transformer over an array of 16 steps of 8 numbers."""

import io

import numpy as np
import onnx
import onnxruntime
import torch
from sklearn.datasets import make_classification
from sklearn.neural_network import MLPClassifier
from torch import nn

import train_bench
from paths import BENCH
from sklearn_export import export_matrix

ROWS = 2000
STEPS, WIDTH, STATES = 16, 8, 32


class Transformer(nn.Module):
    """Two layers of attention over the steps; the mean of their states gives the answer."""

    def __init__(self):
        super().__init__()
        self.words = nn.Linear(WIDTH, STATES)
        self.places = nn.Parameter(torch.randn(STEPS, STATES) * 0.1)
        layer = nn.TransformerEncoderLayer(STATES, 4, 64, dropout=0.0, activation='gelu', batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(STATES, 1)

    def forward(self, steps: torch.Tensor) -> torch.Tensor:
        return self.head(self.layers(self.words(steps) + self.places).mean(dim=1))


def mlp() -> None:
    values, labels = make_classification(ROWS, 20, n_informative=12, random_state=7)
    values = values.astype(np.float32)
    model = MLPClassifier((64, 32), max_iter=60, random_state=7).fit(values, labels)
    path = BENCH / 'mlp.onnx'
    export_matrix(model, path, len(train_bench.FEATURES), names=train_bench.FEATURES, options={'zipmap': False})
    compare(path, values, model.predict_proba(values), output=1)


def transformer() -> None:
    torch.manual_seed(7)
    steps = torch.randn(ROWS, STEPS, WIDTH)
    truth = (steps[:, :, :1] * steps[:, :, 1:2]).mean(dim=1)
    net = Transformer()
    optimiser = torch.optim.Adam(net.parameters(), lr=0.003)
    for _ in range(100):
        optimiser.zero_grad()
        nn.functional.mse_loss(net(steps), truth).backward()
        optimiser.step()
    net.eval()
    file = io.BytesIO()
    axes = {'steps': {0: 'rows'}, 'value': {0: 'rows'}}
    names = {'input_names': ['steps'], 'output_names': ['value'], 'dynamic_axes': axes}
    torch.onnx.export(net, (steps[:3],), file, dynamo=False, opset_version=17, **names)
    path = BENCH / 'transformer.onnx'
    onnx.save(onnx.load_from_string(file.getvalue()), path)
    with torch.no_grad():
        compare(path, steps.numpy(), net(steps).numpy(), output=0)


def compare(path, given: np.ndarray, expected: np.ndarray, *, output: int) -> None:
    session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])
    said = session.run(None, {session.get_inputs()[0].name: given})[output]
    np.testing.assert_allclose(said, expected, atol=1e-5, rtol=1e-5)


def train() -> list[dict]:
    """No rows of these are kept for tests."""
    mlp()
    transformer()
    return []


if __name__ == '__main__':
    train()
