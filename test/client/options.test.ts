import { describe, expect, test } from '@jest/globals';
import { deploy, waitForVersion } from '../../src/client/deploy.ts';
import { replay } from '../../src/client/replay.ts';
import { scoreTable, waitForRun } from '../../src/client/runs.ts';

type Client = Parameters<typeof scoreTable>[0];

/** Programs in plain JavaScript may pass anything. */
const given = (options: unknown): never => options as never;

/** Answers no statement: what is refused is refused before one is sent. */
const unused: Client = { query: () => Promise.reject(new Error('a statement was sent')) };

const CALLS: [name: string, known: string, call: (options: never) => Promise<unknown>][] = [
  ['deploy', 'trainedUntil', (options) => deploy(unused, Buffer.of(1), options)],
  ['waitForVersion', 'timeoutSeconds', (options) => waitForVersion(unused, 'churn@1', options)],
  ['scoreTable', 'targetSchema', (options) => scoreTable(unused, options)],
  ['waitForRun', 'onProgress', (options) => waitForRun(unused, 1, options)],
  ['replay', 'fromTime', (options) => replay(unused, options)],
];

describe('an option', () => {
  test.each(CALLS)('that %s() does not have is refused, with those that it has', async (name, known, call) => {
    await expect(call(given({ trained_until: '2013-04-01' }))).rejects.toMatchObject({
      code: 'usage',
      message: `${name}() has no option "trained_until"`,
      remedy: expect.stringMatching(new RegExp(`^The options of ${name}\\(\\): .*\\b${known}\\b`)),
    });
  });

  test.each([
    ['deploy', 'model', () => deploy(unused, Buffer.of(1), given({ task: 'binary' }))],
    ['deploy', 'model', () => deploy(unused, Buffer.of(1), given(undefined))],
    ['scoreTable', 'source', () => scoreTable(unused, given({ model: 'churn' }))],
    ['replay', 'model', () => replay(unused, given({ model: null }))],
  ])('that %s() needs, %s, is said to be missing', async (name, missing, call) => {
    await expect(call()).rejects.toMatchObject({
      code: 'usage',
      message: `${name}() needs the option "${missing}"`,
      remedy: expect.stringContaining(`{ ${missing}: … }`),
    });
  });
});

describe('a key of one column', () => {
  /** The first statement of a call, and its parameters. */
  async function sent(call: (client: Client) => Promise<unknown>): Promise<{ text: string; values: unknown[] }> {
    const statements: { text: string; values: unknown[] }[] = [];
    const query = async (text: string, values: unknown[] = []): Promise<{ rows: unknown[] }> => {
      statements.push({ text, values });
      return { rows: [{ value: '1' }] };
    };
    await call({ query });
    const [first] = statements;
    if (first === undefined) throw new Error('no statement was sent');
    return first;
  }

  const options = { model: 'churn', source: 'flights', eventTime: 'at', wait: false };

  test.each(['flight_id', ['flight_id']])('is given as its name or as an array: %j', async (key) => {
    const scored = await sent((client) => scoreTable(client, { ...options, key }));
    expect(scored.text).toContain('key => $3::text[]');
    expect(scored.values[2]).toEqual(['flight_id']);
    const replayed = await sent((client) => replay(client, { ...options, key }));
    expect(replayed.text).toContain('key => $3::text,');
    expect(replayed.values[2]).toBe('flight_id');
  });
});
