import { expect, test } from '@jest/globals';
import { parametersOf, type PageQuery } from '../../src/http/page-data.ts';
import { PAGE_QUERIES } from '../../src/http/page-queries.ts';

const QUERY: PageQuery = {
  text: '',
  parameters: [
    ['model', 'text'],
    ['versions', 'versions'],
    ['month', 'date'],
  ],
};
const GOOD = { model: `O'Brien`, versions: '1,20', month: '2026-02-28' };

test('the values of a question come in its order, and nothing else comes with them', () => {
  expect(parametersOf(QUERY, { ...GOOD, more: 'x' })).toEqual([`O'Brien`, '{1,20}', '2026-02-28']);
});

test.each([
  ['model', ''],
  ['model', 'a\0b'],
  ['model', 'x'.repeat(201)],
  ['model', ['a', 'b']],
  ['versions', ''],
  ['versions', '1,'],
  ['versions', '1}'],
  ['versions', '-1'],
  ['versions', '1,2,3,4,5,6,7'],
  ['month', '2026-13-01'],
  ['month', "2026-01-01'"],
  ['month', undefined],
])('%s is not %j', (name, value) => {
  expect(parametersOf(QUERY, { ...GOOD, [name]: value })).toBeUndefined();
});

test('every question is one bounded select that takes its values as parameters', () => {
  for (const [name, { text, parameters }] of Object.entries(PAGE_QUERIES)) {
    expect([name, text.trim()]).toEqual([name, expect.stringMatching(/^select [^;]* limit \d+$/s)]);
    const used = new Set(text.match(/\$\d/g));
    expect([name, used.size]).toEqual([name, parameters.length]);
  }
});
