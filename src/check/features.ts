import { PgscoreError } from '../errors.ts';
import { MOST_ELEMENTS } from '../inference/arrays.ts';
import { checkNames } from './names.ts';
import type { Feature, ModelInput, NarrowType, TensorType } from '../inference/signature.ts';
import type { GraphValue } from '../onnx/value-info.ts';

/** A feature before it is known what becomes of its NULLs. */
export type MappedFeature = Omit<Feature, 'nulls' | 'default'>;

type FeatureMap = { inputs: ModelInput[]; features: MappedFeature[] };

/** At the end of a feature's name: it is one array for a whole input, of any length where the file leaves it open. */
const WHOLE = '[]';

/**
 * Gives every column of every input a name. `names` come in the order of the inputs and their columns; without them the
 * inputs' own names serve, which inputs of one column or of any length have. One name for a matrix makes it one array.
 * @throws PgscoreError model_feature_names_missing, model_feature_names_wrong
 */
export function mapFeatures(declared: readonly DeclaredInput[], names: readonly string[] | undefined): FeatureMap {
  const plain = names?.map((name) => (name.endsWith(WHOLE) ? name.slice(0, -WHOLE.length) : name));
  checkNames(plain ?? declared.map(({ name }) => name), 'feature name', 'model_feature_names_wrong');
  if (names === undefined || plain === undefined) return ownNames(declared);
  if (names.some((name) => name.endsWith(WHOLE))) return wholeInputs(declared, names, plain);
  const inputs = closeWidths(declared, names.length);
  const counts = [columns, one, columnsOfMatrices, closedMatrices].map((rule) => inputs.map(rule));
  const share = counts.find((candidate) => sum(candidate) === names.length);
  if (share === undefined) throw wrongCount(inputs, names);
  return { inputs, features: distribute(inputs, share, plain) };
}

/** The ways to share names among the inputs, the likeliest first: how many names each input takes. */
const columns = ({ width }: Pick<ModelInput, 'width'>): number => (width === 0 ? 1 : width);
const one = (): number => 1;
const columnsOfMatrices = ({ width }: ModelInput): number => (width === 1 ? 0 : columns({ width }));
const closedMatrices = ({ width }: ModelInput): number => (width > 1 ? width : 0);

function ownNames(declared: readonly DeclaredInput[]): FeatureMap {
  const inputs = declared.map((input) => ({ ...input, width: isSequence(input) ? 0 : input.width }));
  const matrix = inputs.find(({ width, shape }) => width !== 1 && width !== 0 && shape.length <= 2);
  if (matrix !== undefined) throw namesMissing(matrix);
  const closed = inputs.map((input) => ({ ...input, width: input.width ?? 1 }));
  return {
    inputs: closed,
    features: distribute(
      closed,
      closed.map(() => 0),
      [],
    ),
  };
}

/** Whole numbers, or rows of numbers, whose length is open: token ids, or the steps of a sequence. */
function isSequence({ type, width, shape }: DeclaredInput): boolean {
  return width === null && (shape.length > 2 || type === 'int32' || type === 'int64');
}

/** Names of which some stand for a whole input each; every other one is a column. */
function wholeInputs(
  declared: readonly DeclaredInput[],
  names: readonly string[],
  plain: readonly string[],
): FeatureMap {
  const nameEach = names.length === declared.length;
  let taken = 0;
  const share: number[] = [];
  const inputs = declared.map((input): ModelInput => {
    const isWhole = names[taken]?.endsWith(WHOLE) === true;
    const width = input.width ?? (isWhole || isSequence(input) ? 0 : 1);
    const count = isWhole || width === 0 || nameEach ? 1 : width;
    taken += count;
    share.push(count);
    return withWidth(input, width);
  });
  if (sum(share) !== names.length) throw wrongCount(inputs, names);
  return { inputs, features: distribute(inputs, share, plain) };
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

/** No column holds an array of booleans. */
function checkArray({ name, type, width }: ModelInput): void {
  if (width === 1 || type !== 'bool') return;
  throw new PgscoreError(
    'model_feature_names_wrong',
    `input '${name}' takes ${width} values of ${type}, but has one name: an array column holds numbers or texts`,
    { remedy: 'Give one name for each of its columns, in the order of training, or export it with an int64 input.' },
  );
}

function featureOf(
  { name: input, type, element, width, shape }: ModelInput,
  name: string,
  position: number,
  of: number,
): MappedFeature {
  const kind = element === undefined ? { type } : { type, element };
  if (of > 1) return { name, input, position, ...kind, width: 1 };
  const [, ...sizes] = shape;
  return { name, input, position: 0, ...kind, width, ...(width === 0 || sizes.length > 1 ? { shape: sizes } : {}) };
}

/**
 * One open width is what the other inputs leave of the names. Where that is one name, and where several widths are open, an
 * input is one column, or one array if it takes whole numbers.
 */
function closeWidths(declared: readonly DeclaredInput[], names: number): ModelInput[] {
  const isOpen = ({ width, shape }: DeclaredInput): boolean => width === null && shape.length <= 2;
  const open = declared.filter(isOpen).length;
  const fixed = sum(declared.map((input) => (isOpen(input) ? 0 : (input.width ?? 1))));
  const left = open === 1 ? Math.max(1, names - fixed) : 1;
  const width = (input: DeclaredInput): number => (left === 1 && isSequence(input) ? 0 : left);
  return declared.map((input) => withWidth(input, isOpen(input) ? width(input) : (input.width ?? 0)));
}

/** An input of so many columns, or of any number where that is 0. */
function withWidth(input: DeclaredInput, width: number): ModelInput {
  return { ...input, width, shape: width === 0 || input.width !== null ? [...input.shape] : [null, width] };
}

function wrongCount(inputs: readonly ModelInput[], names: readonly string[]): PgscoreError {
  const takes = sum(inputs.map(columns));
  return new PgscoreError(
    'model_feature_names_wrong',
    `the model takes ${takes} features (${inputs.map(({ name, width }) => `${name}: ${width || 'an array'}`).join(', ')}), ` +
      `but ${names.length} names were given`,
    {
      remedy:
        'Give one name for each column, in the order of training, or one name for each array column; ' +
        "with [] behind it, as in 'tokens[]', an array of any length.",
    },
  );
}

function namesMissing({ name, width }: Pick<DeclaredInput, 'name' | 'width'>): PgscoreError {
  const matrix = width === null ? 'a matrix' : `a matrix of ${width} columns`;
  return new PgscoreError(
    'model_feature_names_missing',
    `input '${name}' of the model is ${matrix}, and the file does not name its columns`,
    {
      remedy:
        'Name them in the order of training: `--features a,b,c` (in SQL: features => array[...]); one name with [] ' +
        "behind it, as in 'tokens[]', makes it one array column. Or in the file:\n" +
        '  import json, onnx; m = onnx.load("model.onnx")\n' +
        '  m.metadata_props.add(key="pgscore.features", value=json.dumps(list(X.columns)))\n' +
        '  onnx.save(m, "model.onnx")',
    },
  );
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** An input as the graph declares it; a width of null is left open there, as [None, None] does. */
export type DeclaredInput = {
  readonly name: string;
  readonly type: TensorType;
  readonly element?: NarrowType;
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

function declaredInput({ name, type, element, declared, shape }: GraphValue): DeclaredInput {
  if (type === undefined) {
    throw unsupported(name, `takes ${declared}, which no column can fill`, {
      remedy: 'Export the model with inputs that are tensors of numbers, such as float32, booleans or strings.',
    });
  }
  const [, ...columns] = shape ?? [null, null];
  if (shape?.length === 0) {
    throw unsupported(name, 'takes a single value without a dimension for rows', {
      remedy: 'Export the model with a first dimension for the rows: [None, columns].',
    });
  }
  const open = columns.filter((size) => size === null).length;
  if (open > 1) {
    throw unsupported(name, `has ${columns.length + 1} dimensions, of which the first and one more may be left open`, {
      remedy: 'Export the model with fixed sizes after the first dimension, or with one that is open.',
    });
  }
  const width = open > 0 ? null : columns.reduce<number>((product, size) => product * (size ?? 1), 1);
  if (width !== null && width > MOST_ELEMENTS) {
    throw unsupported(name, `takes ${width} values a row; the limit is ${MOST_ELEMENTS}`, {
      remedy: 'Compute an embedding first, and deploy the model that takes it.',
    });
  }
  return { name, type, ...(element === undefined ? {} : { element }), width, shape: [null, ...columns] };
}

function unsupported(name: string, reason: string, details: { remedy: string }): PgscoreError {
  return new PgscoreError('model_input_unsupported', `input '${name}' of the model ${reason}`, details);
}
