import { expect, test } from '@jest/globals';
import { substitute } from '../../../src/commands/sql/inputs.ts';

const VARIABLES = new Map([
  ['run', '7'],
  ['name', `it's "x"`],
]);

test.each([
  ['call wait(:run)', 'call wait(7)'],
  ["select :'name'", "select 'it''s \"x\"'"],
  ['select :"name"', 'select "it\'s ""x"""'],
  ['select :unknown, 1::int, a[1:2]', 'select :unknown, 1::int, a[1:2]'],
  ['select \':run\', ":run", $$:run$$ -- :run', 'select \':run\', ":run", $$:run$$ -- :run'],
  ["select '2013-01-01 10:00'::timestamptz", "select '2013-01-01 10:00'::timestamptz"],
])('%s', (text, filled) => {
  expect(substitute(text, VARIABLES)).toBe(filled);
});
