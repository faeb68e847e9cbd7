"""PyTorch and Keras: anomalies by the error of an autoencoder, or by the distance from a centre."""

import keras_nets  # isort: skip  (chooses Keras' backend)
import keras
import numpy as np
import torch
from torch import nn

import nets
import tables
from margins import penguins_with_gaps
from networks import case, dynamo, script

LAYERS = keras.layers
#: The share of the rows learned from that is taken for normal.
NORMAL = 0.9


class Error(nn.Module):
    """How far an autoencoder's answer is from its row."""

    def __init__(self, values: torch.Tensor):
        super().__init__()
        width = values.shape[1]
        self.scale = nets.Filled(values)
        self.net = nn.Sequential(
            nn.Linear(width, 6), nn.ReLU(), nn.Linear(6, 2), nn.ReLU(), nn.Linear(2, 6), nn.ReLU(), nn.Linear(6, width)
        )

    def forward(self, values):
        scaled = self.scale(values)
        return ((self.net(scaled) - scaled) ** 2).mean(dim=1, keepdim=True)


class Distance(nn.Module):
    """Deep SVDD: how far a row is from a centre, which training pulls all rows to."""

    def __init__(self, values: torch.Tensor):
        super().__init__()
        self.net = nn.Sequential(nets.Filled(values), nn.Linear(values.shape[1], 8, bias=False), nn.ReLU(), nn.Linear(8, 2, bias=False))
        self.register_buffer('centre', self.net(values).mean(dim=0).detach())

    def forward(self, values):
        return ((self.net(values) - self.centre) ** 2).sum(dim=1, keepdim=True)


class Judged(nn.Module):
    """The label of anomalies, and how far a row is below the limit."""

    def __init__(self, error: nn.Module, limit: torch.Tensor):
        super().__init__()
        self.error = error
        self.register_buffer('limit', limit)

    def forward(self, values):
        decision = self.limit - self.error(values)
        return torch.where(decision < 0, -1, 1), decision


def anomalies(name, *, error, table, estimator, exporter=dynamo, labelled=True, steps=nets.STEPS):
    def make():
        given = table()
        values = torch.from_numpy(given.learned)
        torch.manual_seed(7)
        net = nets.fit(error(values), (values,), torch.mean, steps=steps)
        limit = torch.quantile(net(values).detach(), NORMAL)
        scored = torch.from_numpy(given.scored)
        if not labelled:
            more = {'estimator': estimator, 'deploy': {'task': 'anomaly'}}
            return case(name, net, given, 'anomaly', {'score': nets.answer(net, scored)}, exporter=exporter, **more)
        judged = Judged(net, limit).eval()
        label, decision = nets.answer(judged, scored)
        answers = {'label': label.ravel(), 'score': -decision.astype(np.float64)}
        return case(name, judged, given, 'anomaly', answers, exporter=exporter, outputs=['label', 'decision'], estimator=estimator)

    return make


def keras_anomalies(name, *, table, estimator):
    def make():
        given = table()
        keras.utils.set_random_seed(7)
        start = LAYERS.Input((len(given.names),))
        scaled = keras_nets.filled(start, given.learned)
        middle = LAYERS.Dense(2, activation='relu')(LAYERS.Dense(6, activation='relu')(scaled))
        again = LAYERS.Dense(len(given.names))(LAYERS.Dense(6, activation='relu')(middle))
        error = keras.ops.mean(keras.ops.square(again - scaled), axis=-1, keepdims=True)
        learner = keras.Model(start, error)
        learner.compile(optimizer=keras.optimizers.Adam(0.01), loss='mean_absolute_error')
        learner.fit(given.learned, np.zeros((len(given.known), 1), np.float32), epochs=10, verbose=0)
        limit = float(np.quantile(learner.predict(given.learned, verbose=0), NORMAL))
        decision = limit - error
        net = keras.Model(start, [keras.ops.where(decision < 0, -1, 1), decision])
        label, below = net.predict(given.scored, verbose=0)
        answers = {'label': label.ravel(), 'score': -np.asarray(below, np.float64)}
        return keras_nets.case(name, net, given, 'anomaly', answers, estimator=estimator)

    return make


CASES = {
    'torch_autoencoder': anomalies(
        'torch_autoencoder', error=Error, table=tables.cancer, estimator='autoencoder: a limit less its error, with its label'
    ),
    'torch_autoencoder_gaps': anomalies(
        'torch_autoencoder_gaps',
        error=Error,
        table=penguins_with_gaps,
        exporter=script,
        estimator='autoencoder: a limit less its error, with its label',
    ),
    'torch_error': anomalies('torch_error', error=Error, table=tables.cancer, labelled=False, estimator='autoencoder: its error'),
    'torch_sphere': anomalies(
        'torch_sphere', error=Distance, table=tables.wine, steps=20, estimator='Deep SVDD: a limit less its distance, with its label'
    ),
    'keras_autoencoder': keras_anomalies(
        'keras_autoencoder', table=penguins_with_gaps, estimator='autoencoder: a limit less its error, with its label'
    ),
}
