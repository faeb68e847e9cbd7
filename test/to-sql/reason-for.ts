import type { Signature } from '../../src/inference/signature.ts';
import { compileNative } from '../../src/to-sql/compile.ts';
import { NativeRefusal } from '../../src/to-sql/term.ts';
import { renderNative } from '../../src/to-sql/render.ts';
import { onnxModel } from '../support/onnx-builder.ts';

const signature: Signature = {
  task: 'regression',
  inputs: [{ name: 'X', type: 'float32', width: 3, shape: [null, 3] }],
  features: ['a', 'b', 'c'].map((name, position) => ({
    name,
    input: 'X',
    position,
    type: 'float32',
    width: 1,
    nulls: 'error',
  })),
  outputs: { value: { name: 'y' } },
  classLabels: [],
  batch: null,
};

/** Why a regression of three columns is not compiled, or 'none'. */
export function reasonFor(model: Parameters<typeof onnxModel>[0]): string {
  try {
    const program = compileNative(onnxModel(model), signature);
    renderNative(program, 'score', (index) => `$${index + 1}`);
  } catch (error) {
    if (error instanceof NativeRefusal) return error.message;
    throw error;
  }
  return 'none';
}
