import { describe, expect, test } from '@jest/globals';

import { ScoreRequestReader } from '../../../src/online/requests/parse.ts';
import { arraySend, numbersText } from '../array-send.ts';

const LIMITS = { deadlineMs: 5000, mostDeadlineMs: 60_000, mostRows: 3 };
const WHOLE = {
  version: 17,
  role: 'alice',
  deadline: 250,
  log: true,
  inputs: false,
  id: 'r-1',
  reply: 'score',
  alone: true,
};
const ROWS = [{ f0: 1.5 }, { f0: null }];

function read(head: unknown, rows: unknown = ROWS): unknown {
  const text = typeof head === 'string' ? head : `${JSON.stringify(head)}\n${JSON.stringify(rows)}`;
  try {
    return new ScoreRequestReader(LIMITS).read(text);
  } catch (error) {
    return error;
  }
}

describe('a request of score', () => {
  test('is read with all its members', () => {
    const { version, deadline, ...rest } = WHOLE;
    const row = { f0: 1.5 };
    expect(read(WHOLE, row)).toEqual({ ...rest, versionId: version, deadlineMs: deadline, rows: [row], about: {} });
  });

  test('has the usual deadline, no record and no id, unless it names them', () => {
    expect(read({ version: 1, role: 'alice' })).toEqual({
      versionId: 1,
      role: 'alice',
      deadlineMs: 5000,
      log: false,
      inputs: true,
      id: null,
      reply: 'rows',
      alone: false,
      rows: ROWS,
      about: {},
    });
  });

  test('is read anew where its head is another than that of the last, and where only the rows are', () => {
    const reader = new ScoreRequestReader(LIMITS);
    const heads = ['{"version": 1, "role": "alice"}', '{"version": 1, "role": "bob"}', '{"version": 1, "role": "bob"}'];
    const read = heads.map((head, f0) => reader.read(`${head}\n${JSON.stringify({ f0 })}`));
    expect(read.map(({ role }) => role)).toEqual(['alice', 'bob', 'bob']);
    expect(read.map(({ rows }) => rows)).toEqual([[{ f0: 0 }], [{ f0: 1 }], [{ f0: 2 }]]);
  });

  test.each([
    ['a version of text', { version: '17' }],
    ['a version of 0', { version: 0 }],
    ['a version past int4', { version: 2 ** 31 }],
    ['half a version', { version: 1.5 }],
    ['no role', { role: '' }],
    ['a role longer than a name', { role: 'é'.repeat(32) }],
    ['a role with a zero byte', { role: 'a\0' }],
    ['a deadline of 0', { deadline: 0 }],
    ['a deadline past the limit', { deadline: 60_001 }],
    ['a record of 1', { log: 1 }],
    ['an id of number', { id: 7 }],
    ['an id without end', { id: 'x'.repeat(201) }],
    ['a reply that nobody knows', { reply: 'label' }],
    ['the rows of another release', { rows: ROWS }],
  ])('with %s is refused', (_, members) => {
    expect(read({ ...WHOLE, ...members })).toMatchObject({ sqlstate: '22023', hint: expect.any(String) });
  });

  test.each([
    ['no rows', []],
    ['a row of values', [[1]]],
    ['a row of null', [{}, null]],
    ['a number for a row', 1],
    ['more than one row for one score', [{}, {}]],
  ])('with %s is refused', (_, rows) => {
    expect(read(WHOLE, rows)).toMatchObject({
      sqlstate: expect.stringMatching(/^(?:22023|42804)$/),
      hint: expect.any(String),
    });
  });

  test('without a line of rows is refused', () => {
    expect(read(JSON.stringify({ version: 1, role: 'alice' }))).toMatchObject({ sqlstate: '22023' });
  });

  test.each(['', '[', '{"version": 17', 'null}', '{} {}', '{"version": 17, "role": "alice"}\n{'])(
    'that is not JSON, as "%s", is refused',
    (text) => {
      expect(read(text)).toMatchObject({ sqlstate: '22P02' });
    },
  );

  test.each(['[]', 'null', '17', '"score"'])('that is %s is refused', (text) => {
    expect(read(text)).toMatchObject({ sqlstate: '22023' });
  });

  test('of more rows than the queue takes is pointed to a run', () => {
    expect(read(WHOLE, [{}, {}, {}, {}])).toMatchObject({
      sqlstate: '54000',
      hint: expect.stringContaining('score_table'),
    });
  });

  test('has rows of numbers, no more than the queue takes', () => {
    const head = '{"version": 17, "role": "alice"}\n';
    const numbers = (rows: number) => numbersText(arraySend(Array.from({ length: rows }, (_, row) => [row, 1])));
    expect(read(head + numbers(3))).toMatchObject({ rows: { length: 3, width: 2 }, about: {} });
    expect(read(head + numbers(4))).toMatchObject({ sqlstate: '54000' });
    expect(read(`${head}numbers\n{}\nAAAA`)).toMatchObject({ sqlstate: '22P02', hint: expect.any(String) });
  });

  test('survives any nesting', () => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    expect(read(`{"version": 17, "role": "alice"}\n{"f0": ${deep}}`)).toBeDefined();
    expect(read(deep)).toBeDefined();
  });

  test('keeps names of objects that JavaScript knows apart', () => {
    const reader = new ScoreRequestReader(LIMITS);
    const request = reader.read('{"version": 17, "role": "alice"}\n{"__proto__": 1, "constructor": 2}');
    expect(Object.keys(Array.isArray(request.rows) ? (request.rows[0] as object) : {})).toEqual([
      '__proto__',
      'constructor',
    ]);
    expect(read('{"version": 17, "role": "alice", "__proto__": {"reply": "score"}}\n{}')).toMatchObject({
      sqlstate: '22023',
    });
  });
});
