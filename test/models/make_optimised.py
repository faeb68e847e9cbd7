"""Models as ONNX Runtime's quantiser and optimiser write them: `optimised/`, `optimised.json` with rows and answers."""

import json
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from skl2onnx import to_onnx
from skl2onnx.common.data_types import StringTensorType
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline

from feature_names import name_features
from paths import TEST_MODELS

FEATURES = ['a', 'b', 'c', 'd']
SHOWN = 5

random = np.random.default_rng(1)
X = random.normal(size=(300, 4)).astype(np.float32)
Y = X @ [1, -2, 3, 0.5] + np.abs(X[:, 0])
NETWORK = to_onnx(MLPRegressor(hidden_layer_sizes=(16, 16), max_iter=500, random_state=1).fit(X, Y), X[:1])


def own_operators(model: onnx.ModelProto) -> list[str]:
    return sorted({node.op_type for node in model.graph.node if node.domain == 'com.microsoft'})


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
        'operators': own_operators(model),
        'rows': [
            dict(zip(features, row.tolist(), strict=True)) | {'expected_value': float(answer[-1])}
            for row, answer in zip(rows, answers)
        ],
    }


def saved(change) -> onnx.ModelProto:
    """What `change` writes, given the paths of a source and a target."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / 'a.onnx', Path(folder) / 'b.onnx'
        onnx.save(NETWORK, source)
        change(source, target)
        return onnx.load(target)


class Calibration(CalibrationDataReader):
    def __init__(self):
        self.rows = iter([{'X': X[:200]}])

    def get_next(self):
        return next(self.rows, None)


def statically_quantised(source: Path, target: Path) -> None:
    quantize_static(source, target, Calibration(), quant_format=QuantFormat.QOperator, weight_type=QuantType.QInt8)


def optimised(model: onnx.ModelProto) -> onnx.ModelProto:
    """As ONNX Runtime saves it at the level that adds operators of its own."""
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.optimized_model_filepath = str(Path(folder) / 'o.onnx')
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=['CPUExecutionProvider'])
        return onnx.load(options.optimized_model_filepath)


def weights(name: str, *shape: int) -> onnx.TensorProto:
    return onnx.numpy_helper.from_array((random.normal(size=shape) * 0.3).astype(np.float32), name)


def graph(nodes, tensors, inputs) -> onnx.ModelProto:
    output = helper.make_tensor_value_info('score', TensorProto.FLOAT, [None, 1])
    made = helper.make_graph(nodes, 'made', inputs, [output], tensors)
    opsets = [helper.make_opsetid('', 20), helper.make_opsetid('com.microsoft', 1)]
    return helper.make_model(made, opset_imports=opsets, ir_version=9)


def fused() -> onnx.ModelProto:
    """Linear, ReLU, GELU, residual sum, normalisation: what the optimiser fuses."""
    nodes = [
        helper.make_node('Gemm', ['X', 'w1', 'b1'], ['h1']),
        helper.make_node('Relu', ['h1'], ['r1']),
        helper.make_node('MatMul', ['r1', 'w2'], ['h2']),
        helper.make_node('Add', ['h2', 'b2'], ['a2']),
        helper.make_node('Gelu', ['a2'], ['g2']),
        helper.make_node('Add', ['g2', 'r1'], ['s2']),
        helper.make_node('LayerNormalization', ['s2', 'n', 'b2'], ['n2']),
        helper.make_node('Gemm', ['n2', 'w3'], ['score'], transB=1),
    ]
    tensors = [weights('w1', 4, 8), weights('b1', 8), weights('w2', 8, 8), weights('b2', 8), weights('n', 8), weights('w3', 1, 8)]
    return optimised(graph(nodes, tensors, [helper.make_tensor_value_info('X', TensorProto.FLOAT, [None, 4])]))


def encoder() -> onnx.ModelProto:
    """A layer of a transformer as onnxruntime.transformers.optimizer fuses it."""
    own = {'domain': 'com.microsoft'}
    nodes = [
        helper.make_node('EmbedLayerNormalization', ['ids', '', 'words', 'places', '', 'n', 'b'], ['e', ''], **own),
        helper.make_node('Attention', ['e', 'qkv', 'qkv_bias'], ['a'], num_heads=2, **own),
        helper.make_node('MatMul', ['a', 'out'], ['o']),
        helper.make_node('SkipLayerNormalization', ['o', 'e', 'n', 'b', 'b'], ['s'], epsilon=1e-5, **own),
        helper.make_node('MatMul', ['s', 'up'], ['u']),
        helper.make_node('BiasGelu', ['u', 'up_bias'], ['g'], **own),
        helper.make_node('MatMul', ['g', 'down'], ['d']),
        helper.make_node('SkipLayerNormalization', ['d', 's', 'n', 'b', 'b'], ['l'], epsilon=1e-5, **own),
        helper.make_node('ReduceMean', ['l', 'axis'], ['m'], keepdims=0),
        helper.make_node('Gemm', ['m', 'head'], ['score'], transB=1),
    ]
    tensors = [
        weights('words', 50, 8),
        weights('places', 6, 8),
        weights('n', 8),
        weights('b', 8),
        weights('qkv', 8, 24),
        weights('qkv_bias', 24),
        weights('out', 8, 8),
        weights('up', 8, 16),
        weights('up_bias', 16),
        weights('down', 16, 8),
        weights('head', 1, 8),
        onnx.numpy_helper.from_array(np.array([1]), 'axis'),
    ]
    return graph(nodes, tensors, [helper.make_tensor_value_info('ids', TensorProto.INT32, [None, 6])])


def four_bits() -> onnx.ModelProto:
    """The weights of a matrix product in blocks of 4 bits."""
    tensors = [weights('w1', 4, 32), weights('w2', 32, 16), weights('w3', 16, 1)]
    nodes = [
        helper.make_node('MatMul', ['X', 'w1'], ['h1']),
        helper.make_node('Relu', ['h1'], ['r1']),
        helper.make_node('MatMul', ['r1', 'w2'], ['h2']),
        helper.make_node('Relu', ['h2'], ['r2']),
        helper.make_node('MatMul', ['r2', 'w3'], ['score']),
    ]
    model = graph(nodes, tensors, [helper.make_tensor_value_info('X', TensorProto.FLOAT, [None, 4])])
    quantizer = MatMulNBitsQuantizer(model, block_size=32, accuracy_level=4)
    quantizer.process()
    return quantizer.model.model


def text() -> tuple[onnx.ModelProto, list[dict]]:
    """Words to a class: the framework's own answers, as ONNX Runtime needs a locale that few hosts have."""
    said = ['the plane was late again', 'on time and friendly crew', 'late late late', 'lovely flight', 'my bag is lost'] * 5
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(said, [1, 0, 1, 0, 1] * 5)
    asked = ['Late plane', 'lovely', 'a BAG, lost', '', 'Über']
    answers = model.predict_proba(asked)[:, 1]
    exported = to_onnx(
        model, initial_types=[('said', StringTensorType([None, 1]))], options={id(model): {'zipmap': False}}
    )
    return exported, [{'said': x, 'expected_score': float(y)} for x, y in zip(asked, answers)]


def main() -> None:
    (TEST_MODELS / 'optimised').mkdir(exist_ok=True)
    dynamic = saved(lambda source, target: quantize_dynamic(source, target, weight_type=QuantType.QInt8))
    ids = random.integers(0, 50, (5, 6)).astype(np.int32)
    manifest = [
        kept('network_dynamic', dynamic, X, FEATURES),
        kept('network_static', saved(statically_quantised), X, FEATURES),
        kept('network_fused', fused(), X, FEATURES),
        kept('network_4_bits', four_bits(), X, FEATURES),
        kept('encoder', encoder(), ids, [f'token_{place}' for place in range(6)]),
    ]
    exported, rows = text()
    onnx.save(exported, TEST_MODELS / 'optimised' / 'text.onnx')
    manifest.append({'name': 'text', 'operators': own_operators(exported), 'rows': rows})
    (TEST_MODELS / 'optimised.json').write_text(json.dumps(manifest, indent=1) + '\n')


if __name__ == '__main__':
    main()
