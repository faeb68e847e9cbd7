import { elementwise } from '../tensor.ts';
import { compare, compareTo, isNaNTerm, type Comparison } from '../comparison.ts';
import { anyInputOf, type Operator, type OperatorCall, type Operators } from '../operator.ts';
import { reproducible, exactly } from '../reproducible.ts';
import { bool, build, constant, isFloat, type Term } from '../term.ts';

export const logic: Operators = {
  Less: comparison('<'),
  LessOrEqual: comparison('<='),
  Greater: comparison('>'),
  GreaterOrEqual: comparison('>='),
  Equal: comparison('='),
  And: of((a, b) => bool`${a} and ${b}`),
  Or: of((a, b) => bool`${a} or ${b}`),
  Xor: of((a, b) => bool`${a} <> ${b}`),
  Not: of((a) => bool`not ${a}`),
  IsNaN: of((a) => isNaNTerm(exactly(a))),
  IsInf: of((a, _, __, call) => isInfinite(call, exactly(reproducible(call, a)))),
  Where: of(choice),
};

function of(apply: (a: Term, b: Term, c: Term, call: OperatorCall) => Term): Operator {
  return (call) => {
    const inputs = call.inputs.map((_, index) => anyInputOf(call, index));
    return [
      elementwise(call.op, inputs, (...cells) => {
        noteConstants(call, cells);
        const [a, b, c] = cells as [Term, Term, Term];
        return apply(a, b, c, call);
      }),
    ];
  };
}

function noteConstants({ critical }: OperatorCall, cells: readonly Term[]): void {
  const constants = cells.flatMap(({ constant: value }) => value ?? []);
  cells.forEach((cell) => critical.add(cell, constants));
}

/** Of either sign, or of the one that the node asks for. */
function isInfinite({ attributes }: OperatorCall, value: Term): Term {
  const looksFor = (sign: string) => attributes.integer(`detect_${sign}`) !== 0;
  const limit = constant('float64', Infinity);
  if (looksFor('positive') && looksFor('negative')) return bool`pg_catalog.abs(${value}) = ${limit}`;
  if (looksFor('positive')) return bool`${value} = ${limit}`;
  return looksFor('negative') ? bool`${value} = -${limit}` : constant('bool', false);
}

function choice(condition: Term, a: Term, b: Term): Term {
  const finite = a.traits.range === 'finite' && b.traits.range === 'finite' ? { range: 'finite' as const } : {};
  return build(a.kind, { picks: true, ...finite })`case when ${condition} then ${a} else ${b} end`;
}

const MIRRORED: Record<Comparison, Comparison> = { '<': '>', '<=': '>=', '>': '<', '>=': '<=', '=': '=' };

function comparison(relation: Comparison): Operator {
  return of((a, b, _, call) => {
    if (relation === '=' && (a.traits.atLeast ?? 0) >= 1 && Number(b.constant) === 0) return constant('bool', false);
    if (!isFloat(a.kind)) return compare(a, relation, b);
    [a, b].forEach((side) => reproducible(call, side));
    if (b.constant !== undefined) return compareTo(a, relation, Number(b.constant));
    return a.constant === undefined ? compare(a, relation, b) : compareTo(b, MIRRORED[relation], Number(a.constant));
  });
}
