"""Models whose numbers are no probabilities, with what their frameworks say of each row: `outputs/`."""

import gzip
import json

import numpy as np
import onnx
import torch
from skl2onnx import to_onnx
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import (
    LogisticRegression,
    Perceptron,
    RidgeClassifier,
    SGDClassifier,
)
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from sklearn.multiclass import OneVsOneClassifier
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC, NuSVC, OneClassSVM

from paths import TEST_MODELS

OPSET = {'': 18, 'ai.onnx.ml': 3}
FOLDER = TEST_MODELS / 'outputs'
ROWS = 60
cases = {}


def frame(loader, columns: int) -> tuple[list[str], np.ndarray, np.ndarray]:
    data = loader()
    X = StandardScaler().fit_transform(data.data[:, -columns:]).astype(np.float32)
    order = np.random.default_rng(1).permutation(len(X))
    return list(data.feature_names[-columns:]), X[order], data.target[order]


NAMES2, X2, Y2 = frame(load_breast_cancer, 5)
NAMES3, X3, Y3 = frame(load_wine, 5)
VINTAGES = np.array(['barolo', 'grignolino', 'barbera'])[Y3]


def save(name: str, model: onnx.ModelProto, names: list[str], X: np.ndarray, expected: dict, **options) -> None:
    del model.metadata_props[:]
    for node in model.graph.node:
        # PyTorch notes where each came from, by paths of this machine.
        del node.metadata_props[:]
    model.metadata_props.add(key='pgscore.features', value=json.dumps(names))
    onnx.save(model, FOLDER / f'{name}.onnx')
    rows = [
        {**{n: float(v) for n, v in zip(names, X[i])}, **{k: v[i] for k, v in expected.items()}} for i in range(ROWS)
    ]
    cases[name] = {'options': options, 'rows': rows}


def export(model, X: np.ndarray, options: dict | None = None) -> onnx.ModelProto:
    return to_onnx(model, X[:1], options=options and {id(model): options}, target_opset=OPSET)


def texts(values) -> list[str]:
    return [str(v) for v in values]


def numbers(values) -> list[float]:
    return [float(v) for v in values]


def classes(prefix: str, names, matrix) -> dict:
    return {f'expected_{prefix}_{c}': numbers(matrix[:, i]) for i, c in enumerate(names)}


class Network(torch.nn.Module):
    def __init__(self, inputs: int, outputs: int, last: torch.nn.Module | None = None):
        super().__init__()
        layers = [torch.nn.Linear(inputs, 8), torch.nn.ReLU(), torch.nn.Linear(8, outputs)]
        self.layers = torch.nn.Sequential(*layers, *([] if last is None else [last]))

    def forward(self, x):
        return self.layers(x)


def trained(net: torch.nn.Module, loss, X: np.ndarray, y: torch.Tensor) -> torch.nn.Module:
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    for _ in range(150):
        optimizer.zero_grad()
        loss(net(torch.from_numpy(X)), y).backward()
        optimizer.step()
    return net.eval()


def exported_network(net: torch.nn.Module, X: np.ndarray) -> onnx.ModelProto:
    program = torch.onnx.export(net, (torch.from_numpy(X[:2]),), dynamic_shapes=({0: 'rows'},), verbose=False)
    return program.model_proto


def networks() -> None:
    torch.manual_seed(1)
    names = list(map(str, load_wine().target_names))
    one = trained(Network(5, 1), torch.nn.BCEWithLogitsLoss(), X2, torch.from_numpy(Y2[:, None].astype(np.float32)))
    two = trained(Network(5, 2), torch.nn.CrossEntropyLoss(), X2, torch.from_numpy(Y2))
    three = trained(Network(5, 3), torch.nn.CrossEntropyLoss(), X3, torch.from_numpy(Y3))
    logs = trained(Network(5, 3, torch.nn.LogSoftmax(dim=1)), torch.nn.NLLLoss(), X3, torch.from_numpy(Y3))
    with torch.no_grad():
        p1 = torch.sigmoid(one(torch.from_numpy(X2)))[:, 0].numpy()
        p2 = torch.softmax(two(torch.from_numpy(X2)), 1).numpy()
        p3 = torch.softmax(three(torch.from_numpy(X3)), 1).numpy()
        pl = torch.exp(logs(torch.from_numpy(X3))).numpy()
    benign = {'class_labels': ['malignant', 'benign'], 'logits': True}
    save('torch_logit', exported_network(one, X2), NAMES2, X2, {'expected_score': numbers(p1)}, **benign)
    save('torch_logits_2', exported_network(two, X2), NAMES2, X2, {'expected_score': numbers(p2[:, 1])}, **benign)
    for name, net, p in (('torch_logits_3', three, p3), ('torch_log_softmax', logs, pl)):
        expected = {'expected_label': [names[i] for i in p.argmax(1)], **classes('probability', names, p)}
        save(name, exported_network(net, X3), NAMES3, X3, expected, class_labels=names, logits=True)


def raw_logistic() -> None:
    for name, features, X, y in (('raw_logistic_2', NAMES2, X2, Y2), ('raw_logistic_3', NAMES3, X3, VINTAGES)):
        model = LogisticRegression().fit(X, y)
        expected = {
            'expected_label': texts(model.predict(X)),
            **classes('probability', model.classes_, model.predict_proba(X)),
        }
        exported = export(model, X, {'zipmap': False, 'raw_scores': True})
        save(name, exported, features, X, expected, logits=True)


MARGINS = {
    'svc': (SVC(probability=False), {'zipmap': False}),
    'svc_raw': (SVC(probability=False), {'zipmap': False, 'raw_scores': True}),
    'nu_svc': (NuSVC(), {'zipmap': False}),
    'linear_svc': (LinearSVC(), None),
    'sgd_hinge': (SGDClassifier(random_state=1), {'zipmap': False}),
    'perceptron': (Perceptron(random_state=1), {'zipmap': False}),
    'ridge': (RidgeClassifier(), {'zipmap': False}),
    'one_vs_one': (OneVsOneClassifier(LinearSVC()), {'zipmap': False}),
}


def margins() -> None:
    for name, (model, options) in MARGINS.items():
        model.fit(X2, Y2)
        margin = model.decision_function(X2)
        expected = {'expected_label': texts(model.predict(X2)), 'expected_score': numbers(margin)}
        # skl2onnx names no classes of a OneVsOneClassifier, and exports texts as numbers.
        pairwise = name == 'one_vs_one'
        named = {'class_labels': ['0', '1']} if pairwise else {}
        save(f'{name}_2', export(model, X2, options), NAMES2, X2, expected, **named)
        model.fit(X3, Y3 if pairwise else VINTAGES)
        matrix = model.decision_function(X3)
        labels = model.predict(X3)
        own = matrix[np.arange(len(X3)), np.searchsorted(model.classes_, labels)]
        expected = {
            'expected_label': texts(labels),
            'expected_score': numbers(own),
            **classes('margin', model.classes_, matrix),
        }
        named = {'class_labels': ['0', '1', '2']} if pairwise else {}
        save(f'{name}_3', export(model, X3, options), NAMES3, X3, expected, **named)
    pairs = SVC(decision_function_shape='ovo').fit(X3, VINTAGES)
    expected = {'expected_label': texts(pairs.predict(X3))}
    save('svc_pairs', export(pairs, X3, {'zipmap': False}), NAMES3, X3, expected)


def clusters() -> None:
    centres = {
        'kmeans': KMeans(3, n_init=2, random_state=1),
        'mini_batch_kmeans': MiniBatchKMeans(3, n_init=2, random_state=1),
        'scaled_kmeans': make_pipeline(StandardScaler(), KMeans(4, n_init=2, random_state=1)),
    }
    for name, model in centres.items():
        model.fit(X3)
        distances = model.transform(X3)
        expected = {'expected_label': texts(model.predict(X3)), 'expected_score': numbers(distances.min(1))}
        save(name, export(model, X3), NAMES3, X3, expected)
    mixtures = {
        'mixture': GaussianMixture(3, random_state=1),
        'bayesian_mixture': BayesianGaussianMixture(n_components=3, random_state=1),
    }
    for name, model in mixtures.items():
        model.fit(X3.astype(np.float64))
        p = model.predict_proba(X3.astype(np.float64))
        expected = {'expected_label': texts(p.argmax(1)), 'expected_score': numbers(p.max(1))}
        save(name, export(model, X3), NAMES3, X3, expected)


def anomalies() -> None:
    models = {
        'isolation_forest': IsolationForest(n_estimators=20, max_samples=64, random_state=1),
        'isolation_forest_share': IsolationForest(n_estimators=20, max_samples=64, contamination=0.1, random_state=1),
        'one_class_svm': OneClassSVM(nu=0.1),
        'local_outlier_factor': LocalOutlierFactor(novelty=True, n_neighbors=5),
    }
    for name, model in models.items():
        model.fit(X3[:80])
        expected = {
            'expected_label': texts(model.predict(X3)),
            'expected_score': numbers(-model.decision_function(X3)),
        }
        save(name, export(model, X3), NAMES3, X3, expected)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    networks()
    raw_logistic()
    margins()
    clusters()
    anomalies()
    text = json.dumps(cases)
    (FOLDER / 'outputs.json.gz').write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))


if __name__ == '__main__':
    main()
