import type { Random } from '../../../src/lib/random.ts';
import { pick } from '../../support/pick.ts';

const FLOATS =
  '0 1 -1 0.1 -0.0 16777217 1e-40 1e-45 3.4028234e38 3.5e38 1e300 1e-310 5e-324 NaN Infinity -Infinity 0.30000000000000004 123456.789 -2.5 33554433'.split(
    ' ',
  );
const NUMERICS =
  '0 1 0.1 12345678901234567890 1e400 1e-300 0.1000000000000000055511151231257827 16777217.0000000001 NaN Infinity -Infinity 1.00000000000000000000 340282356779733661637539395458142568447 340282356779733661637539395458142568448 9007199254740993 9007199254740992.99999999 1e308 -1e308 0.30000001192092896'.split(
    ' ',
  );
const INTEGERS = '0 1 -1 2147483647 -2147483648 7 16777217 128 255 256 -129 65536'.split(' ');
const BIGINTS = [
  ...INTEGERS,
  ...'9007199254740993 -9007199254740993 9223372036854775807 -9223372036854775808'.split(' '),
];
const SMALLINTS = '0 1 -1 32767 -32768 127 128 255 256'.split(' ');
export const TEXTS = [
  'red',
  'green',
  'blue',
  '',
  'Grün ☃',
  'Red',
  'red ',
  ' red',
  're\nd',
  '"',
  '\\',
  '\\\\x',
  '😀',
  '\u0001',
  'null',
  'NULL',
  '{a}',
  'a"b',
  "it's",
  '\u2028',
  'é',
  'e\u0301',
  '%s',
  'x'.repeat(3000),
];
/** Farther from zero float32 decides the digits of a sum, and nearer to it products underflow: docs/explanation/native.md says so of native functions. */
const TAME = { least: 1e-200, most: 1e6 };

/** What a column may hold, by its type without brackets. */
const HARD: Readonly<Record<string, readonly string[]>> = {
  smallint: SMALLINTS,
  integer: INTEGERS,
  whole_domain: INTEGERS,
  bigint: BIGINTS,
  real: FLOATS.filter((value) => !['1e300', '3.5e38', '1e-310', '5e-324'].includes(value)),
  'double precision': FLOATS,
  double_domain: FLOATS,
  numeric: NUMERICS,
  number_domain: NUMERICS,
  'numeric(20,4)': '0 1.5 1234567890.1234 -1 NaN 16777217.1'.split(' '),
  boolean: ['true', 'false'],
  text: TEXTS,
  text_domain: TEXTS,
  'varchar(4000)': TEXTS,
  varchar: TEXTS,
  'char(12)': TEXTS.filter((text) => text.length <= 10),
  name: TEXTS.filter((text) => text.length < 30),
  colour: TEXTS.filter((text) => text.length < 30),
  colour_domain: TEXTS.filter((text) => text.length < 30),
};

const COLUMNS: Readonly<Record<string, readonly string[]>> = {
  float32: [
    'boolean',
    'smallint',
    'integer',
    'bigint',
    'real',
    'double precision',
    'numeric',
    'numeric(20,4)',
    'number_domain',
    'whole_domain',
    'double_domain',
  ],
  // Not real: docs/reference/casts.md says how the ways differ.
  float64: [
    'boolean',
    'smallint',
    'integer',
    'bigint',
    'double precision',
    'numeric',
    'number_domain',
    'double_domain',
    'whole_domain',
  ],
  int64: ['smallint', 'integer', 'bigint', 'boolean', 'whole_domain'],
  int32: ['smallint', 'integer', 'boolean', 'whole_domain'],
  bool: ['boolean'],
  string: ['text', 'varchar(4000)', 'char(12)', 'name', 'colour', 'colour_domain', 'text_domain'],
};
const ARRAYS: Readonly<Record<string, readonly string[]>> = {
  float32: ['real', 'double precision', 'smallint', 'integer', 'bigint'],
  float64: ['double precision', 'smallint', 'integer', 'bigint'],
  int64: ['smallint', 'integer', 'bigint'],
  int32: ['smallint', 'integer'],
  string: ['text', 'varchar'],
};
const WIDER: Readonly<Record<string, string>> = {
  float16: 'float32',
  uint8: 'int32',
  int8: 'int32',
  uint16: 'int32',
  int16: 'int32',
  uint32: 'int64',
  uint64: 'int64',
};

/** The types of columns that feed a tensor of this type, such as `float32` or `int64[]`. */
export function columnTypes(tensor: string): readonly string[] {
  const [element = ''] = tensor.split('[');
  const known = WIDER[element] ?? element;
  if (tensor.includes('[')) return (ARRAYS[known] ?? []).map((type) => `${type}[]`);
  return COLUMNS[known] ?? [];
}

/** A value that is hard to read, of a column of this type: NULL at times. */
export function hardValue(random: Random, type: string, isTame: boolean): string | null {
  if (random() < 0.15) return null;
  const values = HARD[type] ?? [];
  return pick(random, isTame ? values.filter(isTameValue) : values);
}

function isTameValue(value: string): boolean {
  // 1e400 is infinite as a double, and is not written so.
  if (!/^-?\d/.test(value) || Number(value) === 0) return true;
  const size = Math.abs(Number(value));
  return size >= TAME.least && size <= TAME.most;
}

/** A value of a fixture as a column of this type can hold it. */
export function typicalValue(type: string, value: unknown): string | null {
  if (value === null || value === undefined || value === '')
    return type.includes('text') || type === 'varchar(4000)' ? '' : null;
  if (type === 'boolean') return String(value === true || value === 'True' || value === 'true' || Number(value) > 0.5);
  const number = typeof value === 'boolean' ? Number(value) : Number(value);
  if (['smallint', 'integer', 'bigint', 'whole_domain'].includes(type)) return String(Math.round(number));
  return textOf(value);
}

/** A cell of a fixture, which is a text, a number or a boolean. */
export function textOf(cell: unknown): string {
  return typeof cell === 'string' ? cell : JSON.stringify(cell);
}

/** Arrays that are nearly right: one element is hard, missing or NULL, or all are one behind the other. */
export function hardArray(random: Random, type: string, value: readonly unknown[], isTame: boolean): string | null {
  const element = type.slice(0, -2);
  const flat = value.flat(9).map((each) => typicalValue(element, each));
  const at = Math.floor(random() * flat.length);
  const chance = random();
  if (chance < 0.1) return null;
  if (chance < 0.2) return '{}';
  if (chance < 0.35) return arrayLiteral(flat.toSpliced(at, 1));
  if (chance < 0.5) return arrayLiteral([...flat, flat[0] ?? null]);
  if (chance < 0.65) return arrayLiteral(flat);
  return arrayLiteral(flat.with(at, hardValue(random, element, isTame)));
}

export function typicalArray(type: string, value: readonly unknown[]): string {
  const element = type.slice(0, -2);
  const typed = (each: unknown): unknown => (Array.isArray(each) ? each.map(typed) : typicalValue(element, each));
  return arrayLiteral(value.map(typed));
}

function arrayLiteral(values: readonly unknown[]): string {
  const element = (value: unknown): string => {
    if (Array.isArray(value)) return arrayLiteral(value);
    if (value === null) return 'NULL';
    return `"${textOf(value).replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
  };
  return `{${values.map(element).join()}}`;
}
