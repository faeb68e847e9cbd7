"""PyTorch and Keras: clusters by their centres."""

import keras_nets  # isort: skip  (chooses Keras' backend)
import keras
import numpy as np
import torch
from torch import nn

import nets
import tables
from margins import penguins_with_gaps
from networks import SIMPLE, case, dynamo, script

LAYERS = keras.layers
CLUSTERS = 3


def means(values: torch.Tensor, steps: int = 20) -> torch.Tensor:
    """The centres of k-means; each next one begins at the row that is the furthest from those before."""
    centres = values[:1]
    while len(centres) < CLUSTERS:
        centres = torch.cat([centres, values[torch.cdist(values, centres).amin(dim=1).argmax()][None]])
    for _ in range(steps):
        own = torch.cdist(values, centres).argmin(dim=1)
        centres = torch.stack([values[own == index].mean(dim=0) for index in range(CLUSTERS)])
    return centres


def norm(values, centres):
    """As torch.cdist, which only the older exporter knows."""
    return torch.linalg.vector_norm(values[:, None] - centres, dim=2)


class Means(nn.Module):
    """The nearest centre of a row, and its distances to all."""

    def __init__(self, values: torch.Tensor, distances):
        super().__init__()
        self.scale, self.distances = nets.Filled(values), distances
        self.register_buffer('centres', means(self.scale(values)))

    def forward(self, values):
        distances = self.distances(self.scale(values), self.centres)
        return distances.argmin(dim=1), distances


class Shares(nn.Module):
    """Deep embedded clustering: an encoder, and the share of each centre by Student's t."""

    def __init__(self, encoder: nn.Module, values: torch.Tensor):
        super().__init__()
        self.encoder = encoder
        self.centres = nn.Parameter(means(encoder(values).detach()))

    def forward(self, values):
        squares = ((self.encoder(values)[:, None] - self.centres) ** 2).sum(dim=2)
        near = 1 / (1 + squares)
        return near / near.sum(dim=1, keepdim=True)


class WithLargest(nn.Module):
    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, values):
        shares = self.net(values)
        return shares.argmax(dim=1), shares


def clusters(name, *, table, exporter, distances, estimator):
    def make():
        given = table()
        net = Means(torch.from_numpy(given.learned), distances)
        return clustered(name, net, given, exporter, estimator)

    return make


def deep_clusters(name, *, table, labelled, estimator):
    def make():
        given = table()
        values = torch.from_numpy(given.learned)
        torch.manual_seed(7)
        encoder = nn.Sequential(nets.Filled(values), nn.Linear(values.shape[1], 8), nn.Tanh(), nn.Linear(8, 2))
        nets.fit(nn.Sequential(encoder, nn.Linear(2, values.shape[1])), (values,), restored(nets.Filled(values)(values)))
        net = nets.fit(Shares(encoder, values), (values,), sharpened, steps=50)
        if labelled:
            return clustered(name, WithLargest(net), given, dynamo, estimator, deploy={'task': 'clustering'})
        shares = nets.answer(net, torch.from_numpy(given.scored)).astype(np.float64)
        answers = {'label': shares.argmax(axis=1), 'score': shares.max(axis=1), 'probabilities': shares}
        more = {'names': NAMES, 'estimator': estimator, 'deploy': {'task': 'clustering'}}
        return case(name, net, given, 'clustering', answers, **more)

    return make


def restored(values):
    return lambda given: SIMPLE.mse_loss(given, values)


def sharpened(shares):
    """How far the shares are from those of clusters that are pure and of like size."""
    wanted = (shares**2 / shares.sum(dim=0)).detach()
    return SIMPLE.kl_div(shares.log(), wanted / wanted.sum(dim=1, keepdim=True), reduction='batchmean')


NAMES = [str(index) for index in range(CLUSTERS)]
BUILDS = ['light', 'heavy (4.5 kg)', 'långnäbb']


def clustered(name, net, table, exporter, estimator, **more):
    label, numbers = nets.answer(net.eval(), torch.from_numpy(table.scored))
    outputs = ['label', 'shares' if 'deploy' in more else 'distances']
    answers = of_clusters(label, numbers, 'deploy' in more)
    return case(name, net, table, 'clustering', answers, exporter=exporter, outputs=outputs, names=NAMES, estimator=estimator, **more)


def of_clusters(label, numbers, shares):
    numbers = np.asarray(numbers, np.float64)
    own = numbers.max(axis=1) if shares else numbers.min(axis=1)
    return {'label': label, 'score': own, 'probabilities' if shares else 'margins': numbers}


def keras_clusters(name, *, table, estimator):
    """The clusters have names."""

    def make():
        given = table()
        start = LAYERS.Input((len(given.names),))
        scaled = keras_nets.filled(start, given.learned)
        values = np.array(keras.Model(start, scaled).predict(given.learned, verbose=0))
        centres = means(torch.from_numpy(values)).numpy()
        apart = LAYERS.Reshape((1, len(given.names)))(scaled) - centres[None]
        distances = keras.ops.sqrt(keras.ops.sum(keras.ops.square(apart), axis=-1))
        net = keras.Model(start, [keras.ops.cast(keras.ops.argmin(distances, axis=-1), 'int64'), distances])
        label, numbers = net.predict(given.scored, verbose=0)
        answers = of_clusters(np.asarray(BUILDS)[label], numbers, False)
        deploy = {'task': 'clustering', 'class_labels': BUILDS}
        return keras_nets.case(name, net, given, 'clustering', answers, names=BUILDS, deploy=deploy, estimator=estimator)

    return make


CASES = {
    'torch_means': clusters(
        'torch_means', table=penguins_with_gaps, exporter=dynamo, distances=norm, estimator='k-means by vector_norm and argmin'
    ),
    'torch_means_script': clusters(
        'torch_means_script', table=tables.wine, exporter=script, distances=torch.cdist, estimator='k-means by cdist and argmin'
    ),
    'torch_deep_clusters': deep_clusters(
        'torch_deep_clusters', table=penguins_with_gaps, labelled=True, estimator='deep embedded clustering, with its label'
    ),
    'torch_shares': deep_clusters('torch_shares', table=penguins_with_gaps, labelled=False, estimator='deep embedded clustering'),
    'keras_means': keras_clusters('keras_means', table=penguins_with_gaps, estimator='k-means by argmin'),
}
