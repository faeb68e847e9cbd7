import { exactly } from './reproducible.ts';
import { largest } from './functions.ts';
import type { OperatorCall } from './operator.ts';
import { perRow, type Tensor } from './tensor.ts';
import { build, constant, type Kind, type Term } from './term.ts';

/** The class labels of a classifier. */
export function labelsOf({ attributes }: OperatorCall, strings: string, integers: string): Term[] {
  const texts = attributes.texts(strings);
  if (texts.length > 0) return texts.map((text) => constant('string', text));
  return attributes.wide(integers).map((label) => constant('int64', label));
}

/** The label of the first of the largest scores. */
export function labelOfLargest(labels: readonly Term[], scores: readonly Term[]): Tensor {
  const kind = labels[0]?.kind ?? 'int64';
  const exact = scores.map(exactly);
  return perRow(kind, [], [chosen(firstEqual(kind, labels, exact, largest(exact)))]);
}

/** As it is by which number is the largest, or by the sign of one: where rounding tells, it may be another. */
export function chosen(term: Term): Term {
  return { ...term, traits: { ...term.traits, chosen: true } };
}

/** The choice whose value is the first to equal `wanted`; the last where none before it does. */
export function firstEqual(kind: Kind, choices: readonly Term[], values: readonly Term[], wanted: Term): Term {
  const last = choices.at(-1) ?? constant(kind, 0);
  const others = choices.slice(0, -1);
  const operands = others.flatMap((choice, index) => [values[index] ?? wanted, wanted, choice]);
  const gaps = others.flatMap((_, index) => [index === 0 ? 'case when ' : ' when ', ' = ', ' then ']);
  if (others.length === 0) return last;
  return {
    ...build(kind)``,
    pieces: [...gaps, ' else ', ' end'],
    operands: [...operands, last],
    traits: { picks: true },
  };
}
