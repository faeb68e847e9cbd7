import { OPERATORS, type Attributes, type Input, type Operator } from './operators.ts';

/** An operator with one thing about it that is wrong, or nothing. */
export type Case = {
  readonly name: string;
  readonly operator: Operator;
  /** Whether what the rows feed has no elements. */
  readonly noElements?: boolean;
};

function named(operator: Operator, change: string, changed: Partial<Operator>): Case {
  return { name: `${operator.domain}:${operator.op}, ${change}`, operator: { ...operator, ...changed } };
}

function otherRows(operator: Operator): Case[] {
  const { rows } = operator;
  const changed = otherDims(rows.dims)
    .filter(({ dims }) => !dims.includes(0) && !dims.includes(MANY))
    .map(({ change, dims }) => named(operator, `rows ${change}`, { rows: { ...rows, dims } }));
  return [...changed, { ...named(operator, 'rows empty', {}), noElements: true }];
}

/** As many as make a node of another size, and its model no file of megabytes. */
const MANY = 3000;

function otherDims(dims: readonly number[]): { change: string; dims: number[] }[] {
  const [first = 1, ...rest] = dims;
  const last = dims.at(-1) ?? 1;
  const before = dims.slice(0, -1);
  return [
    { change: 'empty', dims: [0, ...rest] },
    { change: 'empty at the end', dims: [...before, 0] },
    { change: 'longer', dims: [...before, last + 1] },
    { change: 'shorter', dims: [...before, Math.max(1, last - 1)] },
    { change: 'huge', dims: [...before, MANY] },
    { change: 'flat', dims: [first * rest.reduce((product, size) => product * size, 1)] },
    { change: 'scalar', dims: [] },
    { change: 'deeper', dims: [1, ...dims] },
  ].filter(({ dims: others }) => others.join() !== dims.join());
}

const NUMBERS = [Number.NaN, Infinity, -Infinity, 3e38, 0];
const WHOLE = [-1, 2 ** 31 - 1, -(2 ** 31), 0];

function otherInputs(operator: Operator, input: Input | null, at: number): Case[] {
  const given = (changed: Input | null): Partial<Operator> => ({ inputs: operator.inputs.with(at, changed) });
  if (input === null) return [named(operator, `input ${at} given`, given({ type: 'f', dims: [3] }))];
  const values = input.type === 'f' ? NUMBERS : WHOLE;
  return [
    named(operator, `input ${at} left out`, given(null)),
    ...otherDims(input.dims).map(({ change, dims }) => named(operator, `input ${at} ${change}`, given({ type: input.type, dims }))),
    ...values.map((value) => named(operator, `input ${at} of ${value}`, given({ ...input, values: [value] }))),
    named(operator, `input ${at} of another type`, given({ type: input.type === 'i8' ? 'u8' : 'i8', dims: input.dims })),
  ];
}

function otherAttributes(operator: Operator, name: string): Case[] {
  const { [name]: value, ...others } = operator.attributes;
  const given = (changed: Attributes[string]): Case =>
    named(operator, `${name} ${JSON.stringify(changed)}`, { attributes: { ...others, [name]: changed } });
  return [named(operator, `no ${name}`, { attributes: others }), ...otherValues(value).map(given)];
}

function otherValues(value: Attributes[string] | undefined): Attributes[string][] {
  if (typeof value === 'number') return [0, -1, 7, 2 ** 31, -(2 ** 53)];
  if (!Array.isArray(value)) return ['', 'other'];
  if (typeof value[0] === 'string') return [[''], [...(value as string[]), 'c']];
  const numbers = value as number[];
  return [numbers.map(() => 0), numbers.map(() => -1), [...numbers, 1], numbers.slice(1), numbers.map(() => 2 ** 12)];
}

/** All cases, the same in every process. */
export const CASES: readonly Case[] = OPERATORS.flatMap((operator) => [
  { name: `${operator.domain}:${operator.op}`, operator },
  ...otherRows(operator),
  ...operator.inputs.flatMap((input, at) => (typeof input === 'object' ? otherInputs(operator, input, at) : [])),
  ...Object.keys(operator.attributes).flatMap((name) => otherAttributes(operator, name)),
]);
