import type { Signature } from '../inference/signature.ts';
import { converted } from './conversion.ts';
import type { CriticalValues } from './critical-values.ts';
import { largest, originOf } from './functions.ts';
import { checkChoices, nearestFloat } from './reproducible.ts';
import { OVERFLOWS } from '../lib/float32.ts';
import { firstEqual } from './classifiers.ts';
import { NativeRefusal, bool, build, constant, type Term } from './term.ts';
import { asDouble, balanced } from './sums.ts';
import type { Tensor } from './tensor.ts';

/** What a version says of a row, NULL where it has no prediction: as src/inference reads the outputs of a run. */
type Answers = { readonly score: Term; readonly label: Term; readonly probabilities: Term };

/** A model as terms over its features: what `renderNative` writes as SQL. */
export type NativeProgram = { readonly answers: Answers; readonly critical: CriticalValues };

const NO_SCORE: Term = { kind: 'float64', pieces: ['null::double precision'], operands: [], traits: {} };
const NO_LABEL: Term = { kind: 'int64', pieces: ['null::integer'], operands: [], traits: {} };
const NO_PROBABILITIES: Term = { kind: 'floats', pieces: ['null::double precision[]'], operands: [], traits: {} };

/** Puts the answers together from the outputs that the signature names. */
export function answersOf(signature: Signature, output: (name: string) => Tensor, demands: readonly Term[]): Answers {
  const { value, probabilities, label } = signature.outputs;
  checkChoices(demands);
  if (signature.ownLabel === true) throw new NativeRefusal('a class that pairs vote for is not compiled');
  if (value !== undefined) return regression(checkChoices(cellsOf(output(value.name), 1)), demands);
  if (probabilities !== undefined) {
    const cells = checkChoices(cellsOf(output(probabilities.name), probabilities.width));
    return signature.task === 'multiclass' ? multiclass(cells, demands) : binary(signature, cells, demands);
  }
  if (label === undefined) throw new NativeRefusal('a model without outputs is not compiled');
  return labelOnly(signature, cellsOf(output(label.name), 1), demands);
}

function cellsOf({ cells }: Tensor, width: number): Term[] {
  if (cells.length !== width)
    throw new NativeRefusal(`an output of ${cells.length} values where ${width} are read is not compiled`);
  return cells.map(asDouble);
}

function regression([value = NO_SCORE]: readonly Term[], demands: readonly Term[]): Answers {
  return { score: checked(value, conditions([value], demands)), label: NO_LABEL, probabilities: NO_PROBABILITIES };
}

function binary(signature: Signature, cells: readonly Term[], demands: readonly Term[]): Answers {
  const positive = signature.classLabels.indexOf(signature.positiveClass ?? '');
  const [first = NO_SCORE, second] = cells;
  const value = second === undefined || positive === 0 ? first : second;
  const other = second === undefined ? undefined : positive === 0 ? second : first;
  const wanted = conditions(other === undefined ? [value] : [value, other], demands);
  const score = checked(value, wanted, asShare(value));
  const decision = decisionOf(signature);
  const limit = constant('float64', decision.limit);
  const near = nearestFloat(score);
  const called = decision.relation === '>' ? bool`${near} > ${limit}` : bool`${near} >= ${limit}`;
  const label = positive === 1 ? build('int64')`${called}::integer` : build('int64')`(not ${called})::integer`;
  const rest = asShare(other ?? build('float64')`'1' - ${value}`);
  const shares = positive === 1 ? [rest, asShare(value)] : [asShare(value), rest];
  return { score, label, probabilities: array(shares, wanted) };
}

/** A probability is no more than 1, where a sum of weights is, nor less than 0. Of what is neither NULL nor NaN. */
function asShare(value: Term): Term {
  if (value.traits.isShare === true) return value;
  return build('float64', {
    ...(value.traits.range === 'finite' && { range: 'finite' as const }),
  })`greatest('0', least(${value}, '1'))`;
}

function multiclass(cells: readonly Term[], demands: readonly Term[]): Answers {
  const wanted = conditions(cells, demands);
  const highest = largest(cells);
  const indices = cells.map((_, index) => integer(index));
  const label = firstEqual('int64', indices, cells, highest);
  const shares = cells.map(asShare);
  return {
    score: checked(highest, wanted, asShare(highest)),
    label: when(label, wanted),
    probabilities: array(shares, wanted),
  };
}

function labelOnly({ classLabels }: Signature, cells: readonly Term[], demands: readonly Term[]): Answers {
  const [label = NO_LABEL] = cells;
  const text = label.kind === 'string' ? label : converted(label, 'string');
  const operands = classLabels.flatMap((name, index) => [constant('string', name), integer(index)]);
  const gaps = operands.map((_, index) => (index % 2 === 0 ? ' when ' : ' then '));
  const index: Term = { kind: 'int64', pieces: ['case ', ...gaps, ' end'], operands: [text, ...operands], traits: {} };
  return { score: NO_SCORE, label: when(index, demands), probabilities: NO_PROBABILITIES };
}

function integer(value: number): Term {
  return { kind: 'int64', pieces: [String(value)], operands: [], traits: {} };
}

/** What must hold for a row to have a prediction: all of its numbers are finite. */
function conditions(values: readonly Term[], demands: readonly Term[]): Term[] {
  const bounded = values.filter(({ traits }) => traits.range === 'bounded');
  const any = values.filter(({ traits }) => traits.range === undefined);
  return [
    ...demands,
    ...new Map(
      bounded.map((value) => [originOf(value), bool`${value} <> ${constant('float64', Number.NaN)}`]),
    ).values(),
    ...any.map((value) => {
      const limit = constant('float64', value.kind === 'float32' ? OVERFLOWS : Infinity);
      return bool`${value} < ${limit} and ${value} > -${limit}`;
    }),
  ];
}

/** The value, or what is shown of it, where the conditions hold. */
function checked(value: Term, wanted: readonly Term[], shown = value): Term {
  const alone = wanted.length === 1 && value.traits.range === 'bounded' && shown === value;
  if (!alone) return when(shown, wanted);
  const { quick } = value.traits;
  const traits = quick === undefined ? {} : { quick };
  return build('float64', traits)`nullif(${value}, ${constant('float64', Number.NaN)})`;
}

function when(value: Term, wanted: readonly Term[]): Term {
  const all = balanced(wanted, (left, right) => bool`${left} and ${right}`);
  return all === undefined ? value : build(value.kind)`case when ${all} then ${value} end`;
}

function array(cells: readonly Term[], wanted: readonly Term[]): Term {
  const gaps = cells.map((_, index) => (index === 0 ? 'array[' : ', '));
  return when({ kind: 'floats', pieces: [...gaps, ']'], operands: cells, traits: {} }, wanted);
}

/** What a compiled binary model calls positive: a score that is above the limit, or no less. */
type Decision = { readonly relation: '>' | '>='; readonly limit: number };

/**
 * The deployer's threshold; without one the more probable class, and at a tie the first, as pgscore_models._predict() has it. It is held
 * against the float32 of a score: five weights of 0.1 are 0.5 there, and as doubles are not.
 */
export function decisionOf({ classLabels, positiveClass = '', threshold }: Signature): Decision {
  if (threshold !== undefined) return { relation: '>=', limit: threshold };
  return { relation: classLabels.indexOf(positiveClass) === 0 ? '>=' : '>', limit: 0.5 };
}
