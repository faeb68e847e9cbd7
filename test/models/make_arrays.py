"""Models whose inputs are arrays, texts in arrays, or numbers of few bits, and models that return vectors."""

import json
from collections.abc import Callable

import numpy as np
import torch
from skl2onnx import to_onnx
from skl2onnx.common.data_types import StringTensorType
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from torch import nn

from paths import TEST_MODELS
from train_pytorch import forget_stack_traces

FOLDER = TEST_MODELS / 'arrays'
ROWS = 40
VOCABULARY = 60


def export(name: str, model: nn.Module, example: tuple, **options) -> None:
    path = FOLDER / f'{name}.onnx'
    torch.onnx.export(model.eval(), example, str(path), dynamo=True, external_data=False, **options)
    forget_stack_traces(path)


def fit(model: nn.Module, loss: Callable[[], torch.Tensor], steps: int) -> None:
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(steps):
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()


class Encoder(nn.Module):
    """A transformer over token ids, pooled over the tokens that the mask names."""

    def __init__(self, width: int):
        super().__init__()
        self.tokens = nn.Embedding(VOCABULARY, width)
        self.places = nn.Embedding(32, width)
        self.layer = nn.TransformerEncoderLayer(width, 2, 2 * width, dropout=0.0, batch_first=True)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        places = torch.arange(input_ids.shape[1])
        hidden = self.layer(self.tokens(input_ids) + self.places(places))
        weights = attention_mask.unsqueeze(-1).to(hidden.dtype)
        return (hidden * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)


class Tone(nn.Module):
    """Whether a text is friendly."""

    def __init__(self):
        super().__init__()
        self.encoder = Encoder(8)
        self.head = nn.Linear(8, 1)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.head(self.encoder(input_ids, attention_mask)))


def texts(generator: np.random.Generator, count: int) -> list[dict]:
    """Token ids of different length; where the mask is 0 they are padding."""
    rows = []
    for _ in range(count):
        length = int(generator.integers(1, 13))
        used = int(generator.integers(1, length + 1))
        ids = generator.integers(1, VOCABULARY, size=length)
        rows.append(
            {
                'input_ids': [int(token) if at < used else 0 for at, token in enumerate(ids)],
                'attention_mask': [int(at < used) for at in range(length)],
            }
        )
    return rows


def tensors(row: dict) -> tuple[torch.Tensor, torch.Tensor]:
    return tuple(torch.tensor([row[name]]) for name in ('input_ids', 'attention_mask'))


def tone() -> dict:
    generator = np.random.default_rng(5)
    model = Tone()
    known = texts(generator, 60)
    friendly = torch.tensor([[float(np.mean([token % 2 for token in row['input_ids']]) > 0.5)] for row in known])

    def loss() -> torch.Tensor:
        said = torch.cat([model(*tensors(row)) for row in known])
        return nn.functional.binary_cross_entropy(said, friendly)

    fit(model, loss, 40)
    batch, length = torch.export.Dim('batch'), torch.export.Dim('length')
    shapes = {'input_ids': {0: batch, 1: length}, 'attention_mask': {0: batch, 1: length}}
    example = (torch.ones(2, 5, dtype=torch.int64), torch.ones(2, 5, dtype=torch.int64))
    names = {'input_names': list(shapes), 'output_names': ['probability']}
    export('tone', model, example, dynamic_shapes=shapes, **names)
    rows = texts(generator, ROWS)
    with torch.no_grad():
        scores = [model(*tensors(row)).item() for row in rows]
    return {
        'name': 'tone',
        'task': 'binary',
        'types': {'input_ids': 'int[]', 'attention_mask': 'bigint[]'},
        'rows': [row | {'expected_score': score} for row, score in zip(rows, scores, strict=True)],
    }


class Delay(nn.Module):
    """A number from steps of three measurements each."""

    def __init__(self):
        super().__init__()
        self.steps = nn.GRU(3, 6, batch_first=True)
        self.head = nn.Linear(6, 1)

    def forward(self, measurements: torch.Tensor) -> torch.Tensor:
        _, last = self.steps(measurements)
        return self.head(last[0])


def delay() -> dict:
    generator = np.random.default_rng(6)
    model = Delay()
    known = torch.tensor(generator.normal(size=(100, 6, 3)), dtype=torch.float32)
    late = known[:, :, 0].sum(dim=1, keepdim=True)
    fit(model, lambda: nn.functional.mse_loss(model(known), late), 60)
    shapes = {'measurements': {0: torch.export.Dim('batch'), 1: torch.export.Dim('steps')}}
    names = {'input_names': ['measurements'], 'output_names': ['delay']}
    export('delay', model, (known[:2],), dynamic_shapes=shapes, **names)
    rows = []
    for _ in range(ROWS):
        steps = generator.normal(size=(int(generator.integers(1, 9)), 3)).astype(np.float32)
        with torch.no_grad():
            value = model(torch.tensor(steps).unsqueeze(0)).item()
        rows.append({'measurements': [[float(x) for x in step] for step in steps], 'expected_value': value})
    return {'name': 'delay', 'task': 'regression', 'types': {'measurements': 'real[]'}, 'rows': rows}


def cabin() -> dict:
    """A matrix of three texts, as scikit-learn takes columns of one type."""
    generator = np.random.default_rng(7)
    words = [['window', 'aisle'], ['early', 'late, "really"', 'noon'], ['JFK', 'LGA', "O'Hare"]]
    rows = np.array([[generator.choice(some) for some in words] for _ in range(120)], dtype=object)
    first = [int(row[0] == 'window' and row[1] != 'noon') for row in rows]
    model = make_pipeline(OneHotEncoder(handle_unknown='ignore', sparse_output=False), LogisticRegression())
    model.fit(rows, first)
    exported = to_onnx(model, initial_types=[('choices', StringTensorType([None, 3]))], options={'zipmap': False})
    (FOLDER / 'cabin.onnx').write_bytes(exported.SerializeToString())
    scores = model.predict_proba(rows[:ROWS])[:, 1]
    return {
        'name': 'cabin',
        'task': 'binary',
        'types': {'choices': 'text[]'},
        'deploy': {'features': ['choices']},
        'rows': [
            {'choices': list(row), 'expected_score': float(score)}
            for row, score in zip(rows[:ROWS], scores, strict=True)
        ],
    }


class Digit(nn.Module):
    """Which digit an image of 8 x 8 bytes shows."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(64, 10), nn.Softmax(dim=-1))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.layers(pixels.to(torch.float32).flatten(1) / 16)


def digit() -> dict:
    images, digits = load_digits(return_X_y=True)
    pixels = torch.tensor(images.reshape(-1, 8, 8), dtype=torch.uint8)
    model = Digit()
    wanted = torch.tensor(digits)
    fit(model, lambda: nn.functional.nll_loss(model(pixels).log(), wanted), 60)
    names = {'input_names': ['pixels'], 'output_names': ['probabilities']}
    export('digit', model, (pixels[:2],), dynamic_shapes={'pixels': {0: torch.export.Dim('batch')}}, **names)
    with torch.no_grad():
        said = model(pixels[:ROWS]).numpy()
    return {
        'name': 'digit',
        'task': 'multiclass',
        'types': {'pixels': 'smallint[]'},
        'rows': [
            {'pixels': image.tolist(), 'expected_label': str(int(row.argmax())), 'expected_score': float(row.max())}
            for image, row in zip(pixels[:ROWS], said, strict=True)
        ],
    }


def price() -> dict:
    """A regression in float16, of which ONNX Runtime and PyTorch add up in another order."""
    generator = np.random.default_rng(8)
    columns = ['area', 'rooms', 'age', 'floor']
    values = torch.tensor(generator.uniform(0, 4, size=(200, 4)), dtype=torch.float32)
    model = nn.Linear(4, 1)
    wanted = values @ torch.tensor([[3.0], [1.5], [-0.5], [0.25]])
    fit(model, lambda: nn.functional.mse_loss(model(values), wanted), 300)
    half = model.half()
    names = {'input_names': ['x'], 'output_names': ['price']}
    export('price', half, (values[:2].half(),), dynamic_shapes=({0: torch.export.Dim('batch')},), **names)
    rows = values[:ROWS].half()
    with torch.no_grad():
        prices = half(rows).float().numpy().ravel()
    return {
        'name': 'price',
        'task': 'regression',
        'tolerance': 2e-3,
        'types': dict.fromkeys(columns, 'double precision'),
        'deploy': {'features': columns},
        'rows': [
            dict(zip(columns, map(float, row), strict=True)) | {'expected_value': float(value)}
            for row, value in zip(rows, prices, strict=True)
        ],
    }


def rent() -> dict:
    """A regression in bfloat16. What is expected is what the same weights say in float32."""
    generator = np.random.default_rng(10)
    columns = ['area', 'rooms', 'age', 'floor']
    values = torch.tensor(generator.uniform(0, 1, size=(400, 4)), dtype=torch.float32)
    model = nn.Sequential(nn.Linear(4, 16), nn.GELU(), nn.LayerNorm(16), nn.Linear(16, 1))
    wanted = (values[:, :1] * (1 + values[:, 1:2]) - values[:, 2:3] ** 2) / 2
    fit(model, lambda: nn.functional.mse_loss(model(values), wanted), 300)
    narrow = model.bfloat16()
    names = {'input_names': ['x'], 'output_names': ['rent']}
    export('rent', narrow, (values[:2].bfloat16(),), dynamic_shapes=({0: torch.export.Dim('batch')},), **names)
    rows = values[:ROWS].bfloat16()
    with torch.no_grad():
        own = narrow(rows).float()
        rents = model.float()(rows.float())
    print('rent: at most', float((own - rents).abs().max()), 'from what bfloat16 gives')
    return {
        'name': 'rent',
        'task': 'regression',
        'types': dict.fromkeys(columns, 'real'),
        'deploy': {'features': columns},
        'rows': [
            dict(zip(columns, map(float, row), strict=True)) | {'expected_value': float(value)}
            for row, value in zip(rows, rents.numpy().ravel(), strict=True)
        ],
    }


class SentenceEncoder(nn.Module):
    """A vector for each token and, pooled and of length 1, one for the text, as sentence-transformers exports them."""

    def __init__(self):
        super().__init__()
        self.encoder = Encoder(16)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return nn.functional.normalize(self.encoder(input_ids, attention_mask), dim=-1)


def encoder() -> dict:
    generator = np.random.default_rng(9)
    model = SentenceEncoder()
    batch, length = torch.export.Dim('batch'), torch.export.Dim('length')
    shapes = {'input_ids': {0: batch, 1: length}, 'attention_mask': {0: batch, 1: length}}
    example = (torch.ones(2, 5, dtype=torch.int64), torch.ones(2, 5, dtype=torch.int64))
    names = {'input_names': list(shapes), 'output_names': ['sentence_embedding']}
    export('encoder', model, example, dynamic_shapes=shapes, **names)
    rows = texts(generator, ROWS)
    with torch.no_grad():
        vectors = [model(*tensors(row))[0].tolist() for row in rows]
    return {
        'name': 'encoder',
        'task': 'embedding',
        'types': {'input_ids': 'int[]', 'attention_mask': 'int[]'},
        'rows': [row | {'expected_embedding': vector} for row, vector in zip(rows, vectors, strict=True)],
    }


def components() -> dict:
    """Principal components, which the file does not tell from the targets of a regression."""
    values = load_iris().data.astype(np.float32)
    model = make_pipeline(StandardScaler(), PCA(3)).fit(values)
    columns = ['sepal_length', 'sepal_width', 'petal_length', 'petal_width']
    (FOLDER / 'components.onnx').write_bytes(to_onnx(model, values[:1]).SerializeToString())
    vectors = model.transform(values[:ROWS])
    return {
        'name': 'components',
        'task': 'embedding',
        'types': dict.fromkeys(columns, 'real'),
        'deploy': {'features': columns, 'task': 'embedding'},
        'rows': [
            dict(zip(columns, map(float, row), strict=True)) | {'expected_embedding': vector.tolist()}
            for row, vector in zip(values[:ROWS], vectors.astype(float), strict=True)
        ],
    }


class EachToken(nn.Module):
    """A vector for each token: to be pooled before the export."""

    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(VOCABULARY, 8)

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        return self.tokens(input_ids)


def each_token() -> None:
    shapes = {'input_ids': {0: torch.export.Dim('batch'), 1: torch.export.Dim('length')}}
    example = (torch.ones(2, 5, dtype=torch.int64),)
    names = {'input_names': ['input_ids'], 'output_names': ['last_hidden_state']}
    export('each_token', EachToken(), example, dynamic_shapes=shapes, **names)


def main() -> None:
    torch.manual_seed(7)
    FOLDER.mkdir(exist_ok=True)
    models = [tone(), delay(), cabin(), digit(), price(), encoder(), components()]
    each_token()
    models.append(rent())
    text = ',\n'.join(json.dumps(model) for model in models)
    (TEST_MODELS / 'arrays.json').write_text(f'[\n{text}\n]\n')


if __name__ == '__main__':
    main()
