import { describe, expect, test } from '@jest/globals';
import type { PgscoreError } from '../../src/errors.ts';
import { inlineExternalData } from '../../src/onnx/external-data.ts';
import { refuseUnsafe } from '../../src/onnx/refuse.ts';
import { GraphSession } from '../../src/inference/graph-session.ts';
import { besideGolden, goldenBytes, goldenModel } from '../support/golden-models.ts';
import { external, floats, graph, node, onnxModel, tensorValue } from '../support/onnx-builder.ts';

const weights = Buffer.from(Float32Array.of(9, 9, 2, 3, 4).buffer);
const product = node('MatMul', ['X', 'w'], ['y']);
const readWeights = async (name: string) => {
  if (name !== 'w.bin') throw new Error(`no file ${name}`);
  return weights;
};
const modelWith = (place: Record<string, string>) =>
  onnxModel({ nodes: [product], tensors: [external('w', [3, 1], place)] });

const place = { location: 'w.bin', offset: '8', length: '12' };

async function scoreOf(model: Uint8Array): Promise<number[]> {
  refuseUnsafe(model);
  const session = await GraphSession.load(model, 1);
  const input = { name: 'X', type: 'float32' as const, width: 3, shape: [null, 3] };
  const [y] = await session.run([{ input, data: Float32Array.of(1, 10, 100) }], 1, ['y']);
  await session.release();
  return [...(y!.data as Float32Array)];
}

describe('external data', () => {
  test('is taken in from the file beside the model', async () => {
    expect(await scoreOf(await inlineExternalData(modelWith(place), readWeights))).toEqual([432]);
  });

  test('is taken in from attributes inside of control flow', async () => {
    const constant = node('Constant', [], ['w2'], { value: external('', [3, 1], place) });
    const branch = graph({
      nodes: [constant, node('MatMul', ['X', 'w2'], ['y2'])],
      inputs: [],
      outputs: [tensorValue('y2', [null, 1])],
    });
    const condition = [node('ReduceMax', ['X'], ['m'], { keepdims: 0 }), node('Greater', ['m', 'zero'], ['c'])];
    const model = onnxModel({
      nodes: [...condition, node('If', ['c'], ['y'], { then_branch: branch, else_branch: branch })],
      tensors: [floats('zero', [], [0])],
    });
    expect(await scoreOf(await inlineExternalData(model, readWeights))).toEqual([432]);
  });

  test('of a real PyTorch export ends up in one file that is not refused', async () => {
    const golden = goldenModel('pytorch_mlp');
    const read: string[] = [];
    const model = await inlineExternalData(goldenBytes(golden), (name) => {
      read.push(name);
      return besideGolden(golden, name);
    });
    expect(read).toEqual(['pytorch_mlp.onnx.data']);
    expect(() => refuseUnsafe(model)).not.toThrow();
  });

  test('that is none leaves the model as it is', async () => {
    const model = onnxModel({ nodes: [product], tensors: [floats('w', [3, 1], [2, 3, 4])] });
    expect(await inlineExternalData(model, readWeights)).toBe(model);
  });

  test.each([
    ['../w.bin'],
    ['/etc/passwd'],
    ['a/b'],
    ['a\\b'],
    ['..'],
    ['.'],
    [''],
    ['c:x'],
    ['w\0.bin'],
    ['.env'],
    ['other.onnx'],
  ])('is never read from %j', async (location) => {
    let reads = 0;
    const inlined = inlineExternalData(modelWith({ ...place, location }), async () => {
      reads += 1;
      return weights;
    });
    await expect(inlined).rejects.toMatchObject({ code: 'model_data_file' });
    expect(reads).toBe(0);
  });

  test('is not looked for in a file that is no model: what it is instead is said', async () => {
    const pickle = inlineExternalData(Uint8Array.of(0x80, 0x04, 0x95, 0, 0), readWeights);
    await expect(pickle).rejects.toMatchObject({
      code: 'model_unreadable',
      message: 'the file is a Python pickle, not an ONNX model',
      remedy: expect.stringContaining('skl2onnx'),
    });
  });

  test('whose file is missing names the file', async () => {
    const error = await inlineExternalData(modelWith({ location: 'gone.data' }), readWeights).catch(
      (thrown: PgscoreError) => thrown,
    );
    expect(error).toMatchObject({ code: 'model_data_file', message: expect.stringContaining('gone.data') });
  });

  test.each([
    [{ ...place, length: '13' }],
    [{ ...place, offset: '21' }],
    [{ ...place, offset: '-1' }],
    [{ ...place, length: '1e3' }],
  ])('past the end of its file is refused: %j', async (wrong) => {
    await expect(inlineExternalData(modelWith(wrong), readWeights)).rejects.toMatchObject({ code: 'model_data_file' });
  });
});
