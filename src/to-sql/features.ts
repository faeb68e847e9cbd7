import { isFloat, type Feature } from '../inference/signature.ts';
import { OVERFLOWS } from '../lib/float32.ts';
import { NativeRefusal, quoteText, argument, build, constant, type Kind, type Term } from './term.ts';
import { nearestFloat } from './reproducible.ts';

const KINDS = {
  float32: 'float32',
  float64: 'float64',
  int32: 'int64',
  int64: 'int64',
  bool: 'bool',
  string: 'string',
};

export function kindOf(type: Feature['type']): Kind {
  return KINDS[type] as Kind;
}

/** The values of one feature as the model gets them, with values for missing ones. */
export function featureTerms(feature: Feature, index: number): Term[] {
  if (feature.element !== undefined) throw new NativeRefusal(`a feature of ${feature.element} is not compiled`);
  if (feature.width !== 1 && (!isFloat(feature.type) || feature.shape !== undefined)) {
    throw new NativeRefusal(
      'arrays of whole numbers, of texts, of any length or of several dimensions are not compiled',
    );
  }
  if (feature.width === 1)
    return [
      named(scalar(feature, argument(feature.type === 'float32' ? 'float64' : kindOf(feature.type), index)), index, 0),
    ];
  const array = wholeArray(feature, index);
  return Array.from({ length: feature.width }, (_, element) => {
    const column = { ...build('float64')`${array}`, pieces: ['', `[${element + 1}]`] };
    return named(scalar(feature, column), index, element);
  });
}

function named(term: Term, feature: number, element: number): Term {
  const { filled, sharper } = term.traits;
  const column = { feature, element };
  const again = filled && { filled: (otherwise: number) => named(filled(otherwise), feature, element) };
  const sharp = sharper && { sharper: { ...sharper, traits: { ...sharper.traits, column } } };
  return { ...term, traits: { ...term.traits, column, ...again, ...sharp } };
}

function scalar(feature: Feature, column: Term): Term {
  const { type } = feature;
  if (type === 'float32') return float32Feature(feature, column);
  if (type === 'int32') return int32Feature(feature, column);
  return withoutMissing(feature, column);
}

/** Past the range of int32 the row is bad. */
function int32Feature(feature: Feature, column: Term): Term {
  const [least, most] = [constant('int64', -(2n ** 31n)), constant('int64', 2n ** 31n - 1n)];
  const past = {
    ...build('int64', { raises: true })`${column}`,
    pieces: ['pgscore_models._past_int32(', `, ${quoteText(feature.name)})`],
  };
  return build(
    'int64',
  )`case when ${column} < ${least} or ${column} > ${most} then ${past} else ${withoutMissing(feature, column)} end`;
}

/**
 * A float32 feature, left a double: rounding moves a sum by no more than float32 rounds each of its products. What
 * compares it with a threshold rounds it. Past the range of float32 the row is bad: infinities alone go through.
 */
function float32Feature(feature: Feature, column: Term): Term {
  const limit = constant('float64', OVERFLOWS);
  const infinity = constant('float64', Infinity);
  const ordered = feature.nulls !== 'nan';
  const guards = feature.nulls === 'error' && feature.width === 1 ? { guards: column } : {};
  const inRange = build('float64', { ordered, ...guards })`case when ${column} < ${limit} and ${column} > -${limit}
    then ${column} when ${column} < ${infinity} and ${column} > -${infinity}
    then ${overflowing(feature, column)} else ${withoutMissing(feature, column)}::real end`;
  const traits = { ...inRange.traits, unchecked: column, sharper: nearestFloat(inRange) };
  if (ordered) return { ...inRange, kind: 'float32', traits };
  const filled = (value: number) => float32Feature({ ...feature, nulls: 'default', default: value }, column);
  return { ...inRange, kind: 'float32', traits: { ...traits, filled } };
}

/** Raises, as the cast to real would, but with the name. */
function overflowing({ name }: Feature, column: Term): Term {
  const pieces = ['pgscore_models._past_float32(', `, ${quoteText(name)})`];
  return { ...build('float64', { raises: true })`${column}`, pieces };
}

/** What a version says of NULL, and of NaN in a float column. */
function withoutMissing(feature: Feature, column: Term): Term {
  const { kind } = column;
  const float = kind === 'float64';
  if (feature.nulls === 'nan') return build(kind)`coalesce(${column}, ${constant(kind, Number.NaN)})`;
  const present = float ? build(kind)`nullif(${column}, ${constant(kind, Number.NaN)})` : column;
  const otherwise = feature.nulls === 'default' ? defaultOf(feature, kind) : refused(feature, column);
  const traits = kind === 'string' || kind === 'bool' ? {} : { unchecked: column };
  const checked = build(kind, traits)`coalesce(${present}, ${otherwise})`;
  return kind === 'string' ? build(kind)`${checked} collate "C"` : checked;
}

function defaultOf({ type, default: value = 0 }: Feature, kind: Kind): Term {
  const float = type === 'float32' ? Math.fround : Number;
  return constant(kind, kind === 'float64' ? float(Number(value)) : value);
}

const RESULT: Record<Kind, string> = {
  floats: '',
  float32: '',
  float64: '',
  int64: '::bigint',
  bool: ' is null',
  string: '::pg_catalog.text',
};

/**
 * Raises. The name depends on the column, so that the planner, which computes immutable functions of constants ahead,
 * does not raise for rows that have a value.
 */
function refused({ name, type, width }: Feature, column: Term): Term {
  const text = quoteText(name);
  const missing = isFloat(type) ? 'NULL or NaN' : 'NULL';
  const bad = width > 1 ? `NULL, of another length, or with ${missing} in it` : missing;
  const call = (end: string) => [
    'pgscore_models._null_feature(case when ',
    ` is null then ${text} else ${text} end, ${quoteText(bad)})${end}`,
  ];
  return { ...build(column.kind, { raises: true })`${column}`, pieces: call(RESULT[column.kind]) };
}

/** The array, counted from 1, where it is NULL or has its elements, each of them; any other makes the row bad. */
function wholeArray(feature: Feature, index: number): Term {
  const array = argument('floats', index);
  const width = constant('int64', feature.width);
  const bad = refused(feature, array);
  return build('floats')`case when ${array} is null or pg_catalog.array_ndims(${array}) = 1
    and pg_catalog.cardinality(${array}) = ${width} and pg_catalog.array_position(${array}, null) is null
    then case when pg_catalog.array_lower(${array}, 1) = 1 then ${array} else (${array})[:] end else array[${bad}] end`;
}
