import { describe, expect, test } from '@jest/globals';

import { readScoreRequest } from '../../src/gateway/score-request.ts';

const LIMITS = { deadlineMs: 5000, mostDeadlineMs: 60_000, mostRows: 3 };
const WHOLE = {
  version: 17,
  role: 'alice',
  deadline: 250,
  log: true,
  inputs: false,
  id: 'r-1',
  rows: [{ f0: 1.5 }, { f0: null }],
};

function read(request: unknown): unknown {
  try {
    return readScoreRequest(typeof request === 'string' ? request : JSON.stringify(request), LIMITS);
  } catch (error) {
    return error;
  }
}

describe('a request of score', () => {
  test('is read with all its members', () => {
    const { version, deadline, ...rest } = WHOLE;
    expect(read(WHOLE)).toEqual({ ...rest, versionId: version, deadlineMs: deadline });
  });

  test('has the usual deadline, no record and no id, unless it names them', () => {
    expect(read({ version: 1, role: 'alice', rows: [{}] })).toEqual({
      versionId: 1,
      role: 'alice',
      deadlineMs: 5000,
      log: false,
      inputs: true,
      id: null,
      rows: [{}],
    });
  });

  test.each([
    ['a version of text', { version: '17' }],
    ['a version of 0', { version: 0 }],
    ['a version past int4', { version: 2 ** 31 }],
    ['half a version', { version: 1.5 }],
    ['no role', { role: '' }],
    ['a role longer than a name', { role: 'é'.repeat(32) }],
    ['a deadline of 0', { deadline: 0 }],
    ['a deadline past the limit', { deadline: 60_001 }],
    ['a record of 1', { log: 1 }],
    ['an id of number', { id: 7 }],
    ['an id without end', { id: 'x'.repeat(201) }],
    ['no rows', { rows: [] }],
    ['a row', { rows: { f0: 1 } }],
    ['a row of values', { rows: [[1]] }],
    ['a row of null', { rows: [{}, null] }],
    ['a member that nobody knows', { rowz: [] }],
  ])('with %s is refused', (_, members) => {
    expect(read({ ...WHOLE, ...members })).toMatchObject({ sqlstate: '22023', hint: expect.any(String) });
  });

  test.each(['', '[', '{"version": 17', 'null}', '{} {}'])('that is not JSON, as "%s", is refused', (text) => {
    expect(read(text)).toMatchObject({ sqlstate: '22P02' });
  });

  test.each(['[]', 'null', '17', '"score"'])('that is %s is refused', (text) => {
    expect(read(text)).toMatchObject({ sqlstate: '22023' });
  });

  test('of more rows than the queue takes is pointed to a run', () => {
    expect(read({ ...WHOLE, rows: [{}, {}, {}, {}] })).toMatchObject({
      sqlstate: '54000',
      hint: expect.stringContaining('score_table'),
    });
  });

  test('survives any nesting', () => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    expect(read(`{"version": 17, "role": "alice", "rows": [{"f0": ${deep}}]}`)).toBeDefined();
  });

  test('keeps names of objects that JavaScript knows apart', () => {
    const request = readScoreRequest(
      '{"version": 17, "role": "alice", "rows": [{"__proto__": 1, "constructor": 2}]}',
      LIMITS,
    );
    expect(Object.keys(request.rows[0]!)).toEqual(['__proto__', 'constructor']);
    expect(read('{"version": 17, "role": "alice", "__proto__": {"rows": [{}]}}')).toMatchObject({ sqlstate: '22023' });
  });
});
