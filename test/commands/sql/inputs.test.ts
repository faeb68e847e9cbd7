import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { allInputs, takeInputs, tokensOf } from '../../../src/commands/sql/inputs.ts';

const statements = (text: string) => allInputs(text).map((input) => input.text);

describe('a statement', () => {
  test('ends with a semicolon, or with the text', () => {
    expect(statements('select 1; select 2;\nselect 3')).toEqual(['select 1', 'select 2', 'select 3']);
  });

  test.each([
    "select ';'",
    "select 'it''s;'",
    "select E'\\';'",
    'select ";"',
    'select $$;$$',
    'select $body$ $$;$$ $body$',
    'select 1 -- ;',
    'select /* ; /* ; */ ; */ 1',
    'create rule r as on insert to t do (select 1; select 2)',
    'create function f() returns int begin atomic select 1; select case when true then 2 end; end',
    'create or replace procedure p() language sql begin atomic select 1; end',
    "select U&'\\0061;', B'1', a$b from t",
  ])('may hold a semicolon: %s', (text) => {
    expect(statements(`${text}\n; select 2`)).toEqual([text, 'select 2']);
  });

  test('is not there in comments and empty text', () => {
    expect(statements('-- nothing\n; ; /* here */ ;')).toEqual([]);
  });

  test.each(["select '", 'select "', 'select $$', 'select /*', 'select (1;', "select E'\\'"])(
    'is not complete with %s',
    (text) => {
      expect(takeInputs(`select 1;${text}\n`)).toEqual({
        inputs: [{ kind: 'statement', text: 'select 1' }],
        rest: `${text}\n`,
      });
    },
  );
});

describe('a command to the shell', () => {
  test('takes its line', () => {
    expect(allInputs('\\d flights\nselect 1;')).toEqual([
      { kind: 'meta', text: '\\d flights' },
      { kind: 'statement', text: 'select 1' },
    ]);
  });

  test('may end a statement', () => {
    expect(allInputs('select 1 as run \\gset\ncall f();')).toEqual([
      { kind: 'statement', text: 'select 1 as run', send: '\\gset' },
      { kind: 'statement', text: 'call f()' },
    ]);
  });
});

test('tokens are the whole text, whatever it is', () => {
  const piece = fc.constantFrom(
    "'",
    '"',
    '$$',
    '$a$',
    '/*',
    '*/',
    '--',
    '\n',
    '\\',
    ';',
    ':',
    '::',
    ":'",
    'E',
    'x',
    '1',
    ' ',
    '(',
  );
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      const text = pieces.join('');
      expect(
        tokensOf(text)
          .map((token) => token.text)
          .join(''),
      ).toBe(text);
    }),
  );
});
