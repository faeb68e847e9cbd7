import { create } from '@bufbuild/protobuf';
import { describe, expect, test } from '@jest/globals';
import { TensorProtoSchema, type TensorProto } from 'onnx-buf';

import { checkModel } from '../../src/check/check-model.ts';
import { normalise } from '../../src/onnx/normalise.ts';
import { DataType, floats, node, onnxModel, tensorOf, tensorValue } from '../support/onnx-builder.ts';

const { BFLOAT16, FLOAT } = DataType;
/** The bits of 1.5, -2 and 0.1, of which bfloat16 keeps 0.10009765625. */
const [ONE_AND_A_HALF, MINUS_TWO, TENTH] = [0x3f_c0, 0xc0_00, 0x3d_cd];

function raw(name: string, bits: readonly number[]): TensorProto {
  const rawData = new Uint8Array(Uint16Array.from(bits).buffer);
  return create(TensorProtoSchema, { name, dims: [BigInt(bits.length), 1n], dataType: BFLOAT16, rawData });
}

async function scoreOf(bytes: Uint8Array, x: readonly [number, number]): Promise<unknown> {
  const [a, b] = x;
  const { expectation } = await checkModel(bytes, {
    features: ['a', 'b'],
    expect: [{ a, b, expected_value: 0 }],
  }).catch((error: Error) => ({ expectation: error.message }));
  return expectation;
}

const inputs = [tensorValue('X', [null, 2], BFLOAT16)];
const outputs = [tensorValue('y', [null, 1], BFLOAT16)];

describe('a model in bfloat16', () => {
  test.each([
    ['bytes', raw('W', [ONE_AND_A_HALF, TENTH])],
    ['whole numbers', tensorOf('W', BFLOAT16, [2, 1], [ONE_AND_A_HALF, TENTH])],
  ])('is scored in float32 with the weights that it has: kept as %s', async (_, weights) => {
    const model = onnxModel({ nodes: [node('MatMul', ['X', 'W'], ['y'])], inputs, outputs, tensors: [weights] });
    expect(await scoreOf(model, [2, 1])).toContain('the exported model predicts 3.10009765625');
  });

  test('may list its weights among the inputs', async () => {
    const nodes = [node('MatMul', ['X', 'W'], ['y'])];
    const listed = [...inputs, tensorValue('W', [2, 1], BFLOAT16)];
    const model = onnxModel({ nodes, inputs: listed, outputs, tensors: [raw('W', [ONE_AND_A_HALF, TENTH])] });
    expect(await scoreOf(model, [2, 1])).toContain('the exported model predicts 3.10009765625');
  });

  test('is refused with a weight whose bytes are half of it, and whole numbers the rest', async () => {
    const nodes = [node('MatMul', ['X', 'W'], ['y'])];
    const weight = { ...raw('W', [ONE_AND_A_HALF]), dims: [2n, 1n], int32Data: [ONE_AND_A_HALF] };
    const model = onnxModel({ nodes, inputs, outputs, tensors: [weight] });
    expect(await scoreOf(model, [2, 1])).toContain('ONNX Runtime can not load the model');
  });

  test('may hold constants, casts and intermediate shapes of that type', async () => {
    const model = onnxModel({
      nodes: [
        node('Constant', [], ['W'], { value: tensorOf('', BFLOAT16, [2, 1], [ONE_AND_A_HALF, MINUS_TWO]) }),
        node('Cast', ['X'], ['narrow'], { to: BFLOAT16 }),
        node('MatMul', ['narrow', 'W'], ['product']),
        node('Relu', ['product'], ['positive']),
        node('Cast', ['positive'], ['y'], { to: FLOAT }),
      ],
      inputs: [tensorValue('X', [null, 2], FLOAT)],
      outputs: [tensorValue('y', [null, 1], FLOAT)],
    });
    expect(await scoreOf(model, [2, 1])).toContain('the exported model predicts 1');
  });

  test('is told of at its deploy', async () => {
    const nodes = [node('MatMul', ['X', 'W'], ['y'])];
    const model = onnxModel({ nodes, inputs, outputs, tensors: [raw('W', [ONE_AND_A_HALF, TENTH])] });
    const { warnings, signature } = await checkModel(model, { features: ['a', 'b'] });
    expect(warnings).toContainEqual(expect.stringContaining('bfloat16'));
    expect(signature.features).toMatchObject([{ type: 'float32' }, { type: 'float32' }]);
  });
});

test('a model without bfloat16 stays as it is', () => {
  const model = onnxModel({
    nodes: [node('MatMul', ['X', 'W'], ['y'])],
    inputs: [tensorValue('X', [null, 2], FLOAT)],
    outputs: [tensorValue('y', [null, 1], FLOAT)],
    tensors: [floats('W', [2, 1], [1, 2])],
  });
  expect(normalise(model)).toMatchObject({ changed: false, widened: false });
});
