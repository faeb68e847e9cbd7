import { compareTo, isNaNTerm } from '../comparison.ts';
import { converted } from '../conversion.ts';
import { lookup, type Entries } from '../lookup.ts';
import { inputOf, unsupported, type OperatorCall, type Operators } from '../operator.ts';
import { balanced } from '../sums.ts';
import { reproducible, exactly } from '../reproducible.ts';
import { perRow, type Tensor } from '../tensor.ts';
import { bool, build, constant, following, isFloat, type Constant, type Kind, type Term } from '../term.ts';

export const encoders: Operators = { OneHotEncoder, LabelEncoder, CategoryMapper, Binarizer, Imputer };

function OneHotEncoder(call: OperatorCall): Tensor[] {
  const { kind, shape, cells } = inputOf(call, 0);
  const texts = call.attributes.texts('cats_strings');
  const categories: Constant[] = texts.length > 0 ? texts : call.attributes.wide('cats_int64s');
  if ((kind === 'string') !== texts.length > 0) throw unsupported(call, `of ${kind} with other categories`);
  const columns = cells.flatMap((cell) => {
    call.critical.add(cell, categories);
    if (isFloat(kind)) reproducible(call, cell);
    const source = kind === 'string' ? cell : converted(cell, 'int64');
    if (call.attributes.integer('zeros') === 0) call.demand(isOneOf(source, categories));
    return categories.map((category) => indicator(source, category));
  });
  return [perRow('float32', [...shape, categories.length], columns)];
}

function indicator(source: Term, category: Constant): Term {
  const traits = { range: 'finite', picks: true, indicates: { source, category } } as const;
  return build(
    'float32',
    traits,
  )`case when ${source} = ${constant(source.kind, category)} then '1'::double precision else '0' end`;
}

function isOneOf(source: Term, categories: readonly Constant[]): Term {
  const each = categories.map((category) => bool`${source} = ${constant(source.kind, category)}`);
  return balanced(each, (left, right) => bool`${left} or ${right}`) ?? constant('bool', false);
}

const TABLES: readonly [string, Kind][] = [
  ['strings', 'string'],
  ['int64s', 'int64'],
  ['floats', 'float32'],
];
const DEFAULTS: Partial<Record<Kind, [string, Constant]>> = {
  string: ['default_string', '_Unused'],
  int64: ['default_int64', -1n],
  float32: ['default_float', -0],
};

function LabelEncoder(call: OperatorCall): Tensor[] {
  const { attributes } = call;
  const classes = attributes.texts('classes_strings');
  if (classes.length > 0)
    return [
      mapped(
        call,
        classes,
        classes.map((_, index) => BigInt(index)),
      ),
    ];
  const keys = listed(call, 'keys');
  const values = listed(call, 'values');
  if (keys.values.length !== values.values.length) throw unsupported(call, 'with keys without values');
  const { kind, shape, cells } = inputOf(call, 0);
  if (keys.kind !== kind) throw unsupported(call, `of ${kind} with keys of ${keys.kind}`);
  const entries = keys.values.map((key, index) => [key, values.values[index] ?? ''] as const);
  const otherwise = defaultOf(call, values.kind);
  return [
    perRow(
      values.kind,
      shape,
      cells.map((cell) => encoded(call, cell, values.kind, entries, otherwise)),
    ),
  ];
}

/** The list of keys or of values, which is an attribute of its type or, since version 4, a tensor. */
function listed(call: OperatorCall, which: 'keys' | 'values'): { kind: Kind; values: Constant[] } {
  const { attributes } = call;
  const tensor = attributes.tensor(`${which}_tensor`);
  if (tensor !== undefined) return { kind: tensor.kind, values: tensor.cells.flatMap((cell) => cell.constant ?? []) };
  for (const [name, kind] of TABLES) {
    if (!attributes.has(`${which}_${name}`)) continue;
    if (kind === 'string') return { kind, values: attributes.texts(`${which}_${name}`) };
    if (kind === 'float32') return { kind, values: attributes.floats(`${which}_${name}`) };
    return { kind, values: attributes.wide(`${which}_${name}`) };
  }
  throw unsupported(call, `without ${which}`);
}

function defaultOf({ attributes }: OperatorCall, kind: Kind): Constant {
  const given = attributes.tensor('default_tensor')?.cells[0]?.constant;
  if (given !== undefined) return given;
  const [name, value] = DEFAULTS[kind] ?? ['', 0];
  if (kind === 'string') return attributes.text(name) ?? value;
  if (kind === 'int64') return BigInt(attributes.integer(name) ?? Number(value));
  return attributes.float(name) ?? value;
}

/** Of a key that comes twice, the first counts; a NaN is found since version 4 only. */
function encoded(call: OperatorCall, cell: Term, kind: Kind, entries: Entries, otherwise: Constant): Term {
  call.critical.add(
    cell,
    entries.map(([key]) => key),
  );
  const firsts = new Map(entries.toReversed());
  const fallback = call.opset < 4 ? undefined : firsts.get(Number.NaN);
  firsts.delete(Number.NaN);
  const source = exactly(isFloat(cell.kind) ? reproducible(call, cell) : cell);
  const found = lookup(kind, source, [...firsts], otherwise);
  if (fallback === undefined) return found;
  const isMissing = bool`${source} = ${constant('float64', Number.NaN)}`;
  return build(kind, { picks: true })`case when ${isMissing} then ${constant(kind, fallback)} else ${found} end`;
}

function CategoryMapper(call: OperatorCall): Tensor[] {
  return [mapped(call, call.attributes.texts('cats_strings'), call.attributes.wide('cats_int64s'))];
}

/** Texts to integers, or the other way, by what the input is. */
function mapped(call: OperatorCall, texts: readonly string[], numbers: readonly bigint[]): Tensor {
  const { kind, shape, cells } = inputOf(call, 0);
  if (kind !== 'string' && kind !== 'int64') throw unsupported(call, `of ${kind}`);
  const pairs = texts.map((text, index) => [text, numbers[index] ?? 0n] as const);
  const entries: Entries = kind === 'string' ? pairs : pairs.map(([text, number]) => [number, text] as const);
  const to = kind === 'string' ? 'int64' : 'string';
  return perRow(
    to,
    shape,
    cells.map((cell) => encoded(call, cell, to, entries, defaultOf(call, to))),
  );
}

function Binarizer(call: OperatorCall): Tensor[] {
  const { shape, cells } = inputOf(call, 0);
  const threshold = call.attributes.float('threshold') ?? 0;
  for (const cell of cells) {
    call.critical.add(reproducible(call, cell), [threshold]);
    // ONNX Runtime refuses a NaN here.
    call.demand(bool`not ${isNaNTerm(exactly(cell))}`);
  }
  const flags = cells.map((cell) => converted(compareTo(cell, '>', threshold), 'float32'));
  return [perRow('float32', shape, flags)];
}

function Imputer(call: OperatorCall): Tensor[] {
  const { attributes } = call;
  const { kind, shape, cells } = inputOf(call, 0);
  if (kind !== 'float32' && kind !== 'int64') throw unsupported(call, `of ${kind}`);
  const values: Constant[] =
    kind === 'int64' ? attributes.wide('imputed_value_int64s') : attributes.floats('imputed_value_floats');
  const missing =
    kind === 'int64'
      ? BigInt(attributes.integer('replaced_value_int64') ?? 0)
      : (attributes.float('replaced_value_float') ?? 0);
  if (values.length !== 1 && values.length !== cells.length) throw unsupported(call, 'with values for other columns');
  const imputed = cells.map((cell, column) =>
    imputation(call, cell, missing, values[values.length === 1 ? 0 : column] ?? 0),
  );
  return [perRow(kind, shape, imputed)];
}

function imputation(call: OperatorCall, cell: Term, missing: Constant, value: Constant): Term {
  if (Number.isNaN(missing) && cell.traits.filled !== undefined) return cell.traits.filled(Number(value));
  // Rounding decides whether a number is past float32 at 3.4e38 only.
  if (Number.isFinite(Number(missing))) reproducible(call, cell);
  const isMissing = bool`${exactly(cell)} = ${constant(cell.kind, missing)}`;
  const imputed = build(cell.kind, {
    picks: true,
  })`case when ${isMissing} then ${constant(cell.kind, value)} else ${cell} end`;
  return following(imputed, cell, Number);
}
