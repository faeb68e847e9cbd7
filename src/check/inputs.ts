import { PgscoreError } from '../errors.ts';
import type { TensorType } from '../inference/signature.ts';
import type { GraphValue } from '../onnx/value-info.ts';

/** Columns of one input; an image of 3 x 512 x 512 is past what a table holds in a row. */
const MAX_WIDTH = 65_536;

/** An input as the graph declares it; a width of null is left open there, as [None, None] does. */
export type DeclaredInput = {
  readonly name: string;
  readonly type: TensorType;
  readonly width: number | null;
  /** null stands for the rows, and for a width left open. */
  readonly shape: (number | null)[];
};

/**
 * The inputs of a graph as columns can fill them: one row each along the first dimension.
 * @throws PgscoreError model_input_unsupported
 */
export function declaredInputs(values: readonly GraphValue[]): DeclaredInput[] {
  if (values.length === 0) {
    throw new PgscoreError('model_input_unsupported', 'the model has no input: it always says the same', {
      remedy: 'Export the model with its features as inputs.',
    });
  }
  return values.map(declaredInput);
}

function declaredInput({ name, type, declared, shape }: GraphValue): DeclaredInput {
  if (type === undefined) {
    throw unsupported(name, `takes ${declared}, which no column can fill`, {
      remedy: 'Export the model with inputs of float32, float64, int32, int64, bool or string tensors.',
    });
  }
  const [, ...columns] = shape ?? [null, null];
  if (shape?.length === 0) {
    throw unsupported(name, 'takes a single value without a dimension for rows', {
      remedy: 'Export the model with a first dimension for the rows: [None, columns].',
    });
  }
  const open = columns.filter((size) => size === null).length;
  if (open > 0 && columns.length > 1) {
    throw unsupported(name, `has ${columns.length + 1} dimensions, of which only the first may be left open`, {
      remedy: 'Export the model with fixed sizes after the first dimension.',
    });
  }
  const width = open > 0 ? null : columns.reduce<number>((product, size) => product * (size ?? 1), 1);
  if (width !== null && width > MAX_WIDTH) {
    throw unsupported(name, `takes ${width} values a row; the limit is ${MAX_WIDTH}`, {
      remedy: 'Compute an embedding first, and deploy the model that takes it.',
    });
  }
  return { name, type, width, shape: [null, ...columns] };
}

function unsupported(name: string, reason: string, details: { remedy: string }): PgscoreError {
  return new PgscoreError('model_input_unsupported', `input '${name}' of the model ${reason}`, details);
}
