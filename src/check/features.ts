import { PgscoreError } from '../errors.ts';
import type { DeclaredInput } from './inputs.ts';
import { checkNames } from './name-list.ts';
import type { Feature, ModelInput } from '../inference/signature.ts';

/** A feature before it is known what becomes of its NULLs. */
export type MappedFeature = Omit<Feature, 'nulls' | 'default'>;

export type FeatureMap = { inputs: ModelInput[]; features: MappedFeature[] };

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
