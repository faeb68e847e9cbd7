import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { PgscoreError } from '../../src/errors.ts';
import { categoriesOf } from '../../src/check/column-flow.ts';
import { classLabelsOf } from '../../src/check/class-labels.ts';
import { mapFeatures, declaredInputs } from '../../src/check/features.ts';
import { refuseUnsafe, MAX_MODEL_BYTES } from '../../src/onnx/refuse.ts';
import { normalise } from '../../src/onnx/normalise.ts';
import { decideNulls } from '../../src/check/null-handling.ts';
import { caught } from '../support/caught.ts';
import { goldenBytes, goldenModel, goldenModels, hostileBytes } from '../support/golden-models.ts';
import { external, graph, integers, localFunction, node, onnxModel } from '../support/onnx-builder.ts';

const sum = node('ReduceSum', ['X'], ['y']);
const sound = onnxModel({ nodes: [sum] });
const outside = external('w', [3], { location: 'w.bin' });

const refusal = (bytes: Uint8Array) => caught(() => refuseUnsafe(bytes)).code;
const refusalOf = (...parameters: Parameters<typeof onnxModel>) => refusal(onnxModel(...parameters));

describe('refuseUnsafe() lets pass', () => {
  test.each(goldenModels.filter(({ name }) => name !== 'pytorch_mlp').map((model) => [model.name, model] as const))(
    '%s',
    (_, model) => {
      expect(() => refuseUnsafe(goldenBytes(model))).not.toThrow();
    },
  );

  test('functions that the model defines', () => {
    const functions = [localFunction('local', 'Twice', [node('Add', ['a', 'a'], ['b'])])];
    expect(() =>
      refuseUnsafe(onnxModel({ nodes: [node('Twice', ['X'], ['y'], {}, 'local')], functions })),
    ).not.toThrow();
  });
});

describe('refuseUnsafe() refuses', () => {
  test('an empty file', () => {
    expect(refusal(new Uint8Array(0))).toBe('model_empty');
  });

  test('a file past the limit, before it looks inside, and none of just that size', () => {
    // Nobody writes to these bytes: they take no memory.
    const error = caught(() => refuseUnsafe(new Uint8Array(MAX_MODEL_BYTES + 1)));
    expect(error).toMatchObject({
      code: 'model_too_large',
      message: 'the model has 1001 MB; the limit is 1000 MB',
      remedy: expect.stringContaining('fewer or shallower trees'),
    });
    expect(refusal(new Uint8Array(MAX_MODEL_BYTES))).toBe('model_unreadable');
  });

  test('files of the size that SQL refuses, too', () => {
    const deploy = readFileSync(new URL('../../sql/models/deploy.sql', import.meta.url), 'utf8');
    expect(deploy).toContain(`if octet_length(new.bytes) > ${MAX_MODEL_BYTES} then`);
  });

  test.each([
    ['zip.onnx', /zip archive/],
    ['pickle.onnx', /pickle/],
    ['error_page.onnx', /HTML/],
    ['lfs_pointer.onnx', /Git LFS/],
    ['garbage.onnx', /does not begin like one/],
    ['no_graph.onnx', /no graph/],
    ['trailing_garbage.onnx', /byte \d+/],
  ])('%s, saying what it is', (file, reason) => {
    const error = caught(() => refuseUnsafe(hostileBytes(file)));
    expect(error.code).toBe('model_unreadable');
    expect(error.message).toMatch(reason);
    expect(error.remedy).toBeTruthy();
  });

  test("ONNX Runtime's own format, which would pass every check of a protobuf by", () => {
    expect(refusal(Uint8Array.from([8, 8, 8, 8, ...Buffer.from('ORTM'), 0]))).toBe('model_unreadable');
  });

  test('a file cut off inside of its graph', () => {
    const end = sound.length - sound.findLastIndex((byte) => byte === 'y'.charCodeAt(0)) - 1;
    for (let length = 4; length < sound.length - end - 20; length += 1) {
      expect(['model_truncated', 'model_unreadable']).toContain(refusal(sound.subarray(0, length)));
    }
    expect(refusal(hostileBytes('truncated.onnx'))).toBe('model_truncated');
  });

  test('external data in an initializer', () => {
    expect(refusalOf({ nodes: [sum], tensors: [outside] })).toBe('model_external_data');
  });

  test('external data in an attribute, and in the bodies of control flow', () => {
    const constant = node('Constant', [], ['c'], { value: outside });
    const body = graph({ nodes: [constant] });
    expect(refusalOf({ nodes: [constant, sum] })).toBe('model_external_data');
    expect(refusalOf({ nodes: [node('If', ['X'], ['y'], { then_branch: body, else_branch: body })] })).toBe(
      'model_external_data',
    );
  });

  test('external data in a function', () => {
    const functions = [localFunction('local', 'F', [node('Constant', [], ['b'], { value: outside })])];
    expect(refusalOf({ nodes: [sum], functions })).toBe('model_external_data');
  });

  test.each([
    ['Loop', '', 'model_refused_operator'],
    ['RandomNormal', '', 'model_refused_operator'],
    ['Frobnicate', '', 'model_unknown_operator'],
    ['LinearRegressor', '', 'model_unknown_operator'],
    ['Relu', 'ai.onnx.ml', 'model_unknown_operator'],
    ['Relu', 'com.example', 'model_unknown_domain'],
    ['BeamSearch', 'com.microsoft', 'model_refused_operator'],
    ['Conv', 'com.microsoft.nchwc', 'model_unknown_domain'],
  ])('the operator %s of %p', (op, domain, code) => {
    const error = caught(() => refuseUnsafe(onnxModel({ nodes: [node(op, ['X'], ['y'], {}, domain)] })));
    expect(error.code).toBe(code);
    expect(error.message).toContain(op);
  });

  test('a function that takes the name of an operator', () => {
    for (const domain of ['', 'com.microsoft', 'com.microsoft.nchwc']) {
      const functions = [localFunction(domain, 'Loop', [node('Identity', ['a'], ['b'])])];
      expect(refusalOf({ nodes: [node('Loop', ['X'], ['y'], {}, domain)], functions })).toBe('model_refused_operator');
    }
  });

  test('functions that call themselves, or unfold without end', () => {
    const self = [localFunction('local', 'F0', [node('F0', ['a'], ['b'], {}, 'local')])];
    const doubling = Array.from({ length: 25 }, (_, level) => {
      const below = level === 0 ? node('Relu', ['a'], ['b']) : node(`F${level - 1}`, ['a'], ['b'], {}, 'local');
      return localFunction('local', `F${level}`, [below, below]);
    });
    expect(refusalOf({ nodes: [node('F0', ['X'], ['y'], {}, 'local')], functions: self })).toBe('model_too_complex');
    expect(refusalOf({ nodes: [node('F24', ['X'], ['y'], {}, 'local')], functions: doubling })).toBe(
      'model_too_complex',
    );
  });

  test('control flow that is nested too deep', () => {
    const nested = (depth: number): ReturnType<typeof node> =>
      depth === 0 ? sum : node('If', ['X'], ['y'], { then_branch: graph({ nodes: [nested(depth - 1)] }) });
    expect(() => refuseUnsafe(onnxModel({ nodes: [nested(7)] }))).not.toThrow();
    expect(refusalOf({ nodes: [nested(8)] })).toBe('model_too_deep');
  });

  test.each([
    ['huge_tensor.onnx', 'model_tensor_too_large'],
    ['huge_sparse.onnx', 'model_tensor_too_large'],
    ['overflowing_tensor.onnx', 'model_tensor_too_large'],
    ['negative_dimension.onnx', 'model_unreadable'],
  ])('the tensor of %s', (file, code) => {
    expect(refusal(hostileBytes(file))).toBe(code);
  });

  test('a tensor of a thousand dimensions', () => {
    const dims = Array.from({ length: 1000 }, () => 1);
    expect(refusalOf({ nodes: [sum], tensors: [integers('w', dims, [1])] })).toBe('model_unreadable');
  });

  test('external data inside of a sparse tensor', () => {
    expect(refusal(hostileBytes('external_data_in_sparse.onnx'))).toBe('model_external_data');
  });
});

describe('whatever the bytes, everything that happens before a model runs', () => {
  const model = goldenBytes(goldenModel('logistic_pipeline'));
  const change = fc.record({ at: fc.nat(model.length - 1), byte: fc.nat(255) });

  test('throws nothing but a PgscoreError on a model with some bytes changed, cut off or not', () => {
    const changes = fc.array(change, { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(changes, fc.nat(model.length), fc.boolean(), (changed, length, cut) => {
        const bytes = Uint8Array.from(cut ? model.subarray(0, length) : model);
        for (const { at, byte } of changed) if (at < bytes.length) bytes[at] = byte;
        expect(readsOrRefuses(bytes)).toBe(true);
      }),
      { numRuns: 1500, seed: 1 },
    );
  });

  test('throws nothing but a PgscoreError on bytes that never were a model', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => readsOrRefuses(bytes)),
      { numRuns: 500, seed: 1 },
    );
  });
});

function readsOrRefuses(bytes: Uint8Array): boolean {
  try {
    refuseUnsafe(bytes);
    const normalised = normalise(bytes);
    classLabelsOf(normalised, {});
    const { features } = mapFeatures(declaredInputs(normalised.outline.inputs), undefined);
    categoriesOf(normalised.outline, decideNulls(normalised.outline, features, {}));
    return true;
  } catch (error) {
    if (error instanceof PgscoreError && error.code !== 'internal') return true;
    throw error;
  }
}
