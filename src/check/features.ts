import { PgscoreError } from '../errors.ts';
import { checkNames } from './name-list.ts';
import type { Feature, ModelInput, TensorType } from '../inference/signature.ts';
import type { GraphValue } from '../onnx/value-info.ts';

/** A feature before it is known what becomes of its NULLs. */
export type MappedFeature = Omit<Feature, 'nulls' | 'default'>;

type FeatureMap = { inputs: ModelInput[]; features: MappedFeature[] };

/**
 * Gives every column of every input a name. `names` come in the order of the inputs and their columns; without them the
 * inputs' own names serve, which only inputs of one column have. One name for a matrix makes it one array column.
 * @throws PgscoreError model_feature_names_missing, model_feature_names_wrong
 */
export function mapFeatures(declared: readonly DeclaredInput[], names: readonly string[] | undefined): FeatureMap {
  checkNames(names ?? declared.map(({ name }) => name), 'feature name', 'model_feature_names_wrong');
  if (names === undefined) return ownNames(declared);
  const inputs = closeWidths(declared, names.length);
  const counts = [columns, one, columnsOfMatrices].map((rule) => inputs.map(rule));
  const share = counts.find((candidate) => sum(candidate) === names.length);
  if (share === undefined) throw wrongCount(inputs, names);
  return { inputs, features: distribute(inputs, share, names) };
}

/** The ways to share names among the inputs, the likeliest first: how many names each input takes. */
const columns = ({ width }: ModelInput): number => width;
const one = (): number => 1;
const columnsOfMatrices = ({ width }: ModelInput): number => (width === 1 ? 0 : width);

function ownNames(declared: readonly DeclaredInput[]): FeatureMap {
  const matrix = declared.find(({ width }) => width !== 1);
  if (matrix !== undefined) throw namesMissing(matrix);
  const inputs = declared.map((input) => ({ ...input, width: 1 }));
  return {
    inputs,
    features: distribute(
      inputs,
      inputs.map(() => 0),
      [],
    ),
  };
}

function distribute(
  inputs: readonly ModelInput[],
  share: readonly number[],
  names: readonly string[],
): MappedFeature[] {
  let taken = 0;
  return inputs.flatMap((input, index) => {
    const count = share[index] ?? 0;
    if (count === 1) checkArray(input);
    const own = count === 0 ? [input.name] : names.slice(taken, taken + count);
    taken += count;
    return own.map((name, position) => featureOf(input, name, position, own.length));
  });
}

/** An array column is real[], double precision[] or vector: what else a matrix takes has no column of its own. */
function checkArray({ name, type, width }: ModelInput): void {
  if (width === 1 || type === 'float32' || type === 'float64') return;
  throw new PgscoreError(
    'model_feature_names_wrong',
    `input '${name}' takes ${width} values of ${type}, but has one name: an array column holds real numbers only`,
    { remedy: 'Give one name for each of its columns, in the order of training, or export it with a float32 input.' },
  );
}

function featureOf(
  { name: input, type, width }: ModelInput,
  name: string,
  position: number,
  of: number,
): MappedFeature {
  return of === 1 ? { name, input, position: 0, type, width } : { name, input, position, type, width: 1 };
}

/** One open width is what the other inputs leave of the names; with several, each input must be one column. */
function closeWidths(declared: readonly DeclaredInput[], names: number): ModelInput[] {
  const open = declared.filter(({ width }) => width === null).length;
  const fixed = sum(declared.map(({ width }) => width ?? 0));
  const left = open === 1 ? Math.max(1, names - fixed) : 1;
  return declared.map(({ name, type, width, shape }) => ({
    name,
    type,
    width: width ?? left,
    shape: width === null ? [null, left] : [...shape],
  }));
}

function wrongCount(inputs: readonly ModelInput[], names: readonly string[]): PgscoreError {
  const takes = sum(inputs.map(({ width }) => width));
  return new PgscoreError(
    'model_feature_names_wrong',
    `the model takes ${takes} features (${inputs.map(({ name, width }) => `${name}: ${width}`).join(', ')}), ` +
      `but ${names.length} names were given`,
    { remedy: 'Give one name for each column, in the order of training, or one name for each array column.' },
  );
}

function namesMissing({ name, width }: DeclaredInput): PgscoreError {
  const matrix = width === null ? 'a matrix' : `a matrix of ${width} columns`;
  return new PgscoreError(
    'model_feature_names_missing',
    `input '${name}' of the model is ${matrix}, and the file does not name its columns`,
    {
      remedy:
        'Name them in the order of training: `--features a,b,c` (in SQL: features => array[...]), or in the file:\n' +
        '  import json, onnx; m = onnx.load("model.onnx")\n' +
        '  m.metadata_props.add(key="pgscore.features", value=json.dumps(list(X.columns)))\n' +
        '  onnx.save(m, "model.onnx")',
    },
  );
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

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
