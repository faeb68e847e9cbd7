import { readFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import { ERRORS, type ErrorKind } from '../src/errors.ts';
import { ROW_ERRORS } from '../src/inference/predictions.ts';
import { expectCommitted } from './support/committed.ts';

const PAGE = new URL('../docs/reference/errors.md', import.meta.url);

type Table = { readonly heading: string; readonly head: string; readonly rows: readonly string[] };

const codes = Object.entries<ErrorKind>(ERRORS);
const rowOf = ([code, { meaning, exit, retry }]: [string, ErrorKind]) =>
  `| \`${code}\` | ${meaning} | ${exit} | ${retry ? 'yes' : ''} |`;

/** The parts of the page that are made from the code: below each heading, one table. */
const TABLES: readonly Table[] = [
  {
    heading: '## A model is refused',
    head: '| code | meaning | exit | again |\n|---|---|---|---|',
    rows: codes.filter(([code]) => code.startsWith('model_')).map(rowOf),
  },
  {
    heading: '## A run fails, a command fails',
    head: '| code | meaning | exit | again |\n|---|---|---|---|',
    rows: codes.filter(([code]) => !code.startsWith('model_')).map(rowOf),
  },
  {
    heading: '## A row fails',
    head: '| code | meaning |\n|---|---|',
    rows: Object.entries(ROW_ERRORS).map(([code, meaning]) => `| \`${code}\` | ${meaning} |`),
  },
];

/** The page with each table as the code has it now; what people wrote around them stays. */
function renewed(page: string): string {
  return TABLES.reduce((text, { heading, head, rows }) => {
    const [before = '', after = ''] = text.split(`${heading}\n`);
    return `${before}${heading}\n${after.replace(/^(?:\|.*\n)+/m, `${head}\n${rows.join('\n')}\n`)}`;
  }, page);
}

test('the page on errors holds the tables of the code', async () => {
  await expectCommitted('docs/reference/errors.md', renewed(await readFile(PAGE, 'utf8')));
});

test('a code is a word that stays: lower case, without spaces', () => {
  for (const code of [...Object.keys(ERRORS), ...Object.keys(ROW_ERRORS)]) expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
});

test('no code means both a failed run and a failed row', () => {
  expect(Object.keys(ROW_ERRORS).filter((code) => code in ERRORS)).toEqual([]);
});
