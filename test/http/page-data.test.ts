import { expect, jest, test } from '@jest/globals';
import type { DatabaseConnection } from '../../src/postgres/connection.ts';
import { PageData, type PageQuery } from '../../src/http/page-data.ts';

const QUERY: PageQuery = { text: 'select 1', parameters: [] };

/** A connection that answers with what `answer` gives, and how often it was asked. */
function connectionThat(answer: () => Promise<unknown>): { connection: DatabaseConnection; asked: () => number } {
  let asked = 0;
  const query = (): Promise<unknown> => {
    asked += 1;
    return answer();
  };
  const use = (work: (client: object) => Promise<unknown>): Promise<unknown> => work({ query });
  return { connection: { use } as unknown as DatabaseConnection, asked: () => asked };
}

const ONE = { fields: [{ name: 'n', dataTypeID: 20 }], rows: [['42'], [null]] };

test('counts come as numbers, below the names of their columns', async () => {
  const { connection } = connectionThat(async () => ONE);
  const { status, body } = await new PageData(connection).ask('one', QUERY, []);
  expect([status, JSON.parse(body)]).toEqual([200, { columns: ['n'], rows: [[42], [null]] }]);
});

test('however many ask, the database hears a question once', async () => {
  const { connection, asked } = connectionThat(async () => ONE);
  const data = new PageData(connection);
  await Promise.all(Array.from({ length: 100 }, () => data.ask('one', QUERY, ['a'])));
  await data.ask('one', QUERY, ['a']);
  expect(asked()).toBe(1);
  await data.ask('one', QUERY, ['b']);
  await data.ask('two', QUERY, ['a']);
  expect(asked()).toBe(3);
});

test('a question that takes long is asked seldom', async () => {
  jest.useFakeTimers();
  const { connection, asked } = connectionThat(async () => {
    jest.advanceTimersByTime(300);
    return ONE;
  });
  const data = new PageData(connection);
  await data.ask('one', QUERY, []);
  jest.advanceTimersByTime(2900);
  await data.ask('one', QUERY, []);
  expect(asked()).toBe(1);
  jest.advanceTimersByTime(200);
  await data.ask('one', QUERY, []);
  expect(asked()).toBe(2);
  jest.useRealTimers();
});

test('while the database hangs, further questions are turned away', async () => {
  const { connection, asked } = connectionThat(() => new Promise(() => undefined));
  const data = new PageData(connection);
  for (let value = 0; value < 100; value += 1) void data.ask('one', QUERY, [String(value)]);
  const { status, body } = await data.ask('one', QUERY, ['more']);
  expect([status, JSON.parse(body)]).toMatchObject([503, { error: 'busy' }]);
  expect(asked()).toBe(24);
});

test.each([
  ['57014', 503, 'too_slow'],
  ['55P03', 503, 'busy'],
  ['22008', 400, 'bad_request'],
  ['42P01', 500, 'internal'],
])('SQLSTATE %s becomes %i %s, without the words of the database', async (code, status, error) => {
  const { connection } = connectionThat(() =>
    Promise.reject(Object.assign(new Error('secret'), { code, severity: 'ERROR' })),
  );
  const answer = await new PageData(connection).ask('one', QUERY, []);
  expect([answer.status, JSON.parse(answer.body)]).toMatchObject([status, { error }]);
  expect(answer.body).not.toContain('secret');
});

test('a view that need not be there has no rows where it is not', async () => {
  const { connection } = connectionThat(() =>
    Promise.reject(Object.assign(new Error(), { code: '42P01', severity: 'ERROR' })),
  );
  const { status, body } = await new PageData(connection).ask('one', { ...QUERY, optional: true }, []);
  expect([status, JSON.parse(body)]).toEqual([200, { columns: [], rows: [] }]);
});
