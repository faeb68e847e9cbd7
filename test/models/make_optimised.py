"""Models as ONNX Runtime's quantiser and optimiser write them: `optimised/`, `optimised.json` with rows and answers."""

import json
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import QuantType, quantize_dynamic
from skl2onnx import to_onnx
from sklearn.neural_network import MLPRegressor

from feature_names import name_features
from paths import TEST_MODELS

FEATURES = ['a', 'b', 'c', 'd']
SHOWN = 5

random = np.random.default_rng(1)
X = random.normal(size=(300, 4)).astype(np.float32)
Y = X @ [1, -2, 3, 0.5] + np.abs(X[:, 0])
NETWORK = to_onnx(MLPRegressor(hidden_layer_sizes=(16, 16), max_iter=500, random_state=1).fit(X, Y), X[:1])


def kept(name: str, model: onnx.ModelProto, rows: np.ndarray, features: list[str]) -> dict:
    """Each row by itself is what pgscore must answer."""
    if not any(entry.key == 'pgscore.features' for entry in model.metadata_props) and len(model.graph.input) == 1:
        name_features(model, features)
    onnx.save(model, TEST_MODELS / 'optimised' / f'{name}.onnx')
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=['CPUExecutionProvider'])
    [taken] = session.get_inputs()
    answers = [session.run(None, {taken.name: row[None]})[-1].ravel() for row in rows[:SHOWN]]
    return {
        'name': name,
        'operators': sorted({f'{n.domain}:{n.op_type}' for n in model.graph.node if n.domain == 'com.microsoft'}),
        'rows': [
            dict(zip(features, row.tolist(), strict=True)) | {'expected_value': float(answer[-1])}
            for row, answer in zip(rows, answers)
        ],
    }


def dynamically_quantised() -> onnx.ModelProto:
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / 'a.onnx', Path(folder) / 'b.onnx'
        onnx.save(NETWORK, source)
        quantize_dynamic(source, target, weight_type=QuantType.QInt8)
        return onnx.load(target)


def main() -> None:
    (TEST_MODELS / 'optimised').mkdir(exist_ok=True)
    manifest = [kept('network_dynamic', dynamically_quantised(), X, FEATURES)]
    (TEST_MODELS / 'optimised.json').write_text(json.dumps(manifest, indent=1) + '\n')


if __name__ == '__main__':
    main()
