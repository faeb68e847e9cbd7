import { PgscoreError } from '../errors.ts';
import { TENSOR } from './layout.ts';
import { Fields, LENGTH, VARINT, packedIntegers, type Span } from './wire.ts';

/** Elements of one tensor: 1 GiB of float32. A sparse tensor of a few bytes can ask for more. */
const MAX_ELEMENTS = 2 ** 28;
const MAX_RANK = 64;

/**
 * Refuses a tensor whose values lie outside of the file. ONNX Runtime would look for the file in its working directory
 * even when the model came as bytes.
 */
export function checkInside(tensor: Span): void {
  if (!hasExternalData(tensor)) return;
  throw new PgscoreError('model_external_data', 'the model keeps its weights in a second file (external data)', {
    remedy:
      'Deploy with `pgscore deploy`, which takes the data file in, or save one file: ' +
      '`onnx.save(onnx.load("model.onnx"), "one.onnx")`.',
  });
}

export function hasExternalData(tensor: Span): boolean {
  const fields = new Fields(tensor);
  while (fields.next()) {
    if (fields.number === TENSOR.externalData && fields.wire === LENGTH) return true;
    if (fields.number === TENSOR.dataLocation && fields.wire === VARINT && fields.integer() !== 0) return true;
  }
  return false;
}

/** The dimensions of a tensor. Refuses negative ones and a product past MAX_ELEMENTS. `number` is their field. */
export function checkDims(message: Span, number: number): number[] {
  const dims = dimsOf(message, number);
  const negative = dims.find((dim) => dim < 0);
  if (negative !== undefined) throw malformed(`a dimension of ${negative}`);
  const elements = dims.reduce((product, dim) => product * dim, 1);
  if (elements > MAX_ELEMENTS) {
    throw new PgscoreError('model_tensor_too_large', `the model holds a tensor of ${elements} elements`, {
      remedy: `The limit is ${MAX_ELEMENTS} elements: reduce the size of the largest layer.`,
    });
  }
  return dims;
}

/** @throws PgscoreError model_unreadable for too many */
export function dimsOf(message: Span, number: number): number[] {
  const dims: number[] = [];
  const fields = new Fields(message);
  while (fields.next()) {
    if (fields.number !== number) continue;
    if (dims.length > MAX_RANK || fields.end - fields.start > MAX_RANK * 10) {
      throw malformed(`more than ${MAX_RANK} dimensions`);
    }
    if (fields.wire === VARINT) dims.push(fields.integer());
    else if (fields.wire === LENGTH) dims.push(...packedIntegers(fields.span()));
  }
  return dims;
}

function malformed(what: string): PgscoreError {
  return new PgscoreError('model_unreadable', `the model holds a tensor with ${what}`, {
    remedy: 'Check the file with onnx.checker.check_model, or export the model once more.',
  });
}
