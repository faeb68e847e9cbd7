import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

import { expect, test } from '@jest/globals';

import { parseRows, readExpectedRows } from '../../src/commands/deploy.ts';
import { caught } from '../support/caught.ts';

test('values stay the text that they were written as', () => {
  expect(parseRows('zip,x,expected_score\n01234,1.50,1e-3\n', 'rows.csv')).toEqual([
    { zip: '01234', x: '1.50', expected_score: '1e-3' },
  ]);
});

test('nothing is NULL, two quotes are an empty text', () => {
  expect(parseRows('a,b\n,""\n', 'rows.csv')).toEqual([{ a: null, b: '' }]);
});

test('quotes, commas, line breaks and a byte order mark are read as spreadsheets write them', () => {
  expect(parseRows('\ufeffa,b\r\n"1,2","say ""hi""\nthere"\r\n', 'rows.csv')).toEqual([
    { a: '1,2', b: 'say "hi"\nthere' },
  ]);
});

test.each([
  ['a,b\n1\n', 'is not CSV'],
  ['a,b\n"1,2\n', 'is not CSV'],
  ['a,a\n1,2\n', 'names "a" twice'],
  ['a,b\n', 'has no rows'],
  ['', 'has no rows'],
])('%j is refused', (text, reason) => {
  const error = caught(() => parseRows(text, 'rows.csv'));
  expect(error.code).toBe('model_expectation_wrong');
  expect(error.message).toContain(reason);
});

test('a gzipped file is read as the file in it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'pgscore-'));
  try {
    await writeFile(join(folder, 'rows.csv.gz'), gzipSync('a\n1\n'));
    expect(await readExpectedRows(join(folder, 'rows.csv.gz'))).toEqual([{ a: '1' }]);
    await writeFile(join(folder, 'bad.csv.gz'), 'a\n1\n');
    await expect(readExpectedRows(join(folder, 'bad.csv.gz'))).rejects.toMatchObject({
      code: 'model_expectation_wrong',
    });
    await expect(readExpectedRows(join(folder, 'none.csv'))).rejects.toMatchObject({ code: 'file_unreadable' });
  } finally {
    await rm(folder, { recursive: true });
  }
});
