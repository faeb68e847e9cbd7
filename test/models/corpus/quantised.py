"""Files that were changed after their export: quantised, halved, fused. What ONNX Runtime makes of them, row by row, is the reference."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from onnxconverter_common import float16
from onnxruntime import quantization
from onnxruntime.quantization import matmul_nbits_quantizer

import network_arrays
import networks
from case import Case, as_array, versioned


def changed(name, base, change, export, **more):
    """The case again after `change`, with the answers of ONNX Runtime for each row alone."""

    def make():
        case = base()
        with tempfile.TemporaryDirectory() as folder:
            before, after = Path(folder, 'before.onnx'), Path(folder, 'after.onnx')
            onnx.save(case.model, before)
            change(before, after, case)
            model = onnx.load(after)
        del model.metadata_props[:]
        model.metadata_props.extend(case.model.metadata_props)
        feeds = more.get('feeds', lambda feeds: feeds)(case.feeds)
        return replace(
            case,
            name=name,
            model=model,
            export=f'{case.export}, {export}',
            feeds=feeds,
            rows=case.rows.astype('Int64') if more.get('sql') == 'int2' else case.rows,
            answers=answers_of(model, case, feeds),
            exporter=f'{case.exporter}, {versioned("onnxruntime")}',
            tolerance=np.inf if change is dynamic else case.tolerance,
            types={key: more.get('sql', sql) for key, sql in case.types.items()},
        )

    return make


def answers_of(model, case: Case, feeds) -> dict:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    ones = [session.run(None, {key: value[at : at + 1] for key, value in feeds.items()}) for at in range(len(case.rows))]
    raw = np.concatenate([as_array(one[-1]) for one in ones]).astype(np.float64)
    if case.kind == 'regression':
        return {'value': raw}
    if case.kind == 'embedding':
        return {'vector': raw}
    if raw.shape[1] == 1:
        raw = np.hstack([1 - raw, raw])
    answers = {'label': np.asarray(case.names)[(raw > raw[:, :1]).argmax(axis=1) if raw.shape[1] == 2 else raw.argmax(axis=1)]}
    return answers | ({'score': raw[:, 1]} if case.kind == 'binary' else {}) | {'probabilities': raw}


class Rows(quantization.CalibrationDataReader):
    def __init__(self, feeds):
        self.rest = iter([feeds])

    def get_next(self):
        return next(self.rest, None)


def dynamic(before, after, _):
    quantization.quantize_dynamic(before, after)


def static(form):
    def change(before, after, case):
        quantization.quantize_static(before, after, Rows(case.feeds), quant_format=form)

    return change


def half(**options):
    return lambda before, after, _: onnx.save(float16.convert_float_to_float16(onnx.load(before), **options), after)


def optimised(level):
    def change(before, after, _):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = level
        options.optimized_model_filepath = str(after)
        onnxruntime.InferenceSession(before, options)

    return change


def four_bits(before, after, _):
    quantizer = matmul_nbits_quantizer.MatMulNBitsQuantizer(onnx.load(before), bits=4, block_size=16)
    quantizer.process()
    quantizer.model.save_model_to_file(str(after))


def whole_input(kind):
    """The input as whole numbers, cast in the graph."""

    def change(before, after, _):
        model = onnx.load(before)
        given = model.graph.input[0]
        name = given.name
        model.graph.node.insert(0, helper.make_node('Cast', [f'{name}_whole'], [name], to=TensorProto.FLOAT))
        given.name = f'{name}_whole'
        given.type.tensor_type.elem_type = kind
        onnx.save(model, after)

    return change


def as_kind(kind, rename=''):
    return lambda feeds: {f'{key}{rename}': value.astype(kind) for key, value in feeds.items()}


EXTENDED = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
net, tokens, image = networks.CASES['torch_sigmoid'], network_arrays.CASES['torch_tokens'], network_arrays.CASES['torch_image']
scripted, scripted_tokens = networks.CASES['torch_sigmoid_script'], network_arrays.CASES['torch_tokens_script']
CASES = {
    'dynamic_net': changed('dynamic_net', scripted, dynamic, 'quantize_dynamic(…)'),
    'dynamic_tokens': changed('dynamic_tokens', scripted_tokens, dynamic, 'quantize_dynamic(…)'),
    'dynamic_softmax': changed('dynamic_softmax', networks.CASES['torch_softmax_script'], dynamic, 'quantize_dynamic(…)'),
    'static_net': changed('static_net', net, static(quantization.QuantFormat.QDQ), 'quantize_static(…, QDQ)'),
    'static_operators': changed('static_operators', net, static(quantization.QuantFormat.QOperator), 'quantize_static(…, QOperator)'),
    'static_image': changed('static_image', image, static(quantization.QuantFormat.QOperator), 'quantize_static(…, QOperator)'),
    'half_inside': changed('half_inside', net, half(keep_io_types=True), 'convert_float_to_float16(…, keep_io_types=True)'),
    'half_net': changed('half_net', net, half(), 'convert_float_to_float16(…)', feeds=as_kind(np.float16)),
    'half_image': changed('half_image', image, half(), 'convert_float_to_float16(…)', feeds=as_kind(np.float16)),
    'fused_net': changed('fused_net', net, optimised(EXTENDED), 'optimized_model_filepath, extended'),
    'fused_tokens': changed('fused_tokens', tokens, optimised(EXTENDED), 'optimized_model_filepath, extended'),
    'fused_layer_norm': changed(
        'fused_layer_norm', networks.CASES['torch_layer_norm'], optimised(EXTENDED), 'optimized_model_filepath, extended'
    ),
    'fused_lstm': changed('fused_lstm', network_arrays.CASES['torch_lstm'], optimised(EXTENDED), 'optimized_model_filepath, extended'),
    'four_bits': changed('four_bits', network_arrays.CASES['torch_vector'], four_bits, 'MatMulNBitsQuantizer(…)'),
    'bytes_image': changed(
        'bytes_image', image, whole_input(TensorProto.UINT8), 'with uint8 input', feeds=as_kind(np.uint8, '_whole'), sql='int2'
    ),
    'shorts_image': changed(
        'shorts_image', image, whole_input(TensorProto.INT16), 'with int16 input', feeds=as_kind(np.int16, '_whole'), sql='int2'
    ),
}
