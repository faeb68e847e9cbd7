import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Client } from 'pg';
import { PredictionEncoder } from '../../src/copy/encode.ts';
import { readBatches } from '../../src/copy/read.ts';
import { CopyWriter } from '../../src/copy/write.ts';
import type { Predictions, RowError } from '../../src/inference/predictions.ts';
import { float4, int4, key, text, tuple } from '../support/copy-stream.ts';
import { emptyDatabase } from '../support/database.ts';
import { waitFor } from '../support/wait-for.ts';

const COPY = 'copy target from stdin (format binary)';

const database = await emptyDatabase();
let observer: Client;

beforeAll(async () => {
  observer = await database.client();
});

beforeEach(async () => {
  await observer.query('drop table if exists target; create table target (id int not null, word text)');
});

async function backendOf(client: Client): Promise<number> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  return rows[0]!.pid;
}

async function backendGone(pid: number): Promise<void> {
  await waitFor(async () => {
    const { rowCount } = await observer.query('select from pg_stat_activity where pid = $1', [pid]);
    return rowCount === 0;
  });
}

async function rowsWritten(): Promise<unknown[]> {
  const { rows } = await observer.query({ text: 'select * from target order by 1', rowMode: 'array' });
  return rows;
}

const row = (id: number, word: string) => tuple([int4(id), text(word)]);
const manyRows = Buffer.concat(Array.from({ length: 10_000 }, (_, id) => row(id, 'x'.repeat(90))));

/** Writes until it is told that it can't go on, at most 100 MB. */
async function writeOn(writer: CopyWriter): Promise<number> {
  for (let turn = 0; turn < 100; turn += 1) await writer.write(manyRows);
  return writer.finish();
}

describe('predictions come back from their table as they were', () => {
  const CLASSES = ['nein', 'ja "✓"', ''];
  const errors = new Map<number, RowError>([[1, { code: 'out_of_range', message: 'x is too large' }]]);

  async function copied(
    keyType: string,
    values: string,
    columns: string,
    encoder: PredictionEncoder,
    said: Predictions,
  ) {
    const client = await database.client();
    const [create, source] = [
      `drop table if exists target; create table target (generation int not null, run_id int8 not null, id ${keyType}, event_time timestamptz, ${columns}, error_code text)`,
      `copy (select k::${keyType}, t::timestamptz from (values ${values}) v (k, t)) to stdout (format binary)`,
    ];
    await client.query(create);
    const writer = await CopyWriter.open(client, COPY);
    const batches = readBatches(observer, source, [key('id'), { name: 'event_time', role: 'event_time' }]);
    for await (const batch of batches) await writer.write(encoder.encode(batch, said));
    expect(await writer.finish()).toBe(said.rows);
    const { rows } = await client.query({ text: 'select *, event_time::text from target', rowMode: 'array' });
    return rows.map((columnsOfRow) => columnsOfRow.filter((value: unknown) => !(value instanceof Date)));
  }

  test('of a classifier with a column a class', async () => {
    const said = {
      rows: 3,
      score: Float64Array.of(0.5, Number.NaN, 0.1),
      label: Int32Array.of(1, -1, 2),
      probabilities: Float64Array.of(0.25, 0.5, 0.25, Number.NaN, Number.NaN, Number.NaN, 1e-300, 0.9, 0.1),
      errors,
    };
    const valueColumns = ['p0', 'p1', 'p2'];
    const encoder = new PredictionEncoder({
      constants: { generation: 3, runId: '9223372036854775807' },
      task: 'binary',
      classLabels: CLASSES,
      valueColumns,
    });
    const times = `('a', '2013-07-04 12:00:00+00'), ('', null), ('🦊', 'infinity')`;
    await observer.query(`set time zone 'UTC'`);
    expect(
      await copied('text', times, 'score float8, label text, p0 float8, p1 float8, p2 float8', encoder, said),
    ).toEqual([
      [3, '9223372036854775807', 'a', 0.5, 'ja "✓"', 0.25, 0.5, 0.25, null, expect.stringMatching('2013-07-04')],
      [3, '9223372036854775807', '', null, null, null, null, null, null, 'out_of_range', null],
      [3, '9223372036854775807', '🦊', Number.POSITIVE_INFINITY, 0.1, '', 1e-300, 0.9, 0.1, null, 'infinity'],
    ]);
  });

  test('of a classifier with one jsonb', async () => {
    const said = {
      rows: 1,
      score: Float64Array.of(0.1),
      label: Int32Array.of(1),
      probabilities: Float64Array.of(5e-324, 0.1, 0.30000000000000004),
      errors: new Map<number, RowError>(),
    };
    const encoder = new PredictionEncoder({
      constants: { generation: 3, runId: '1' },
      task: 'binary',
      classLabels: CLASSES,
      valueColumns: null,
    });
    expect(
      await copied('numeric', '(12.50, null)', 'score float8, label text, probabilities jsonb', encoder, said),
    ).toEqual([
      [3, '1', '12.50', null, 0.1, 'ja "✓"', { nein: 5e-324, 'ja "✓"': 0.1, '': 0.30000000000000004 }, null, null],
    ]);
  });

  test('of a regression', async () => {
    const score = Float64Array.of(Math.PI, Number.NaN, -Number.MAX_VALUE);
    const said = { rows: 3, score, label: null, probabilities: null, errors };
    const encoder = new PredictionEncoder({
      constants: { generation: 3, runId: '1' },
      task: 'regression',
      classLabels: [],
      valueColumns: null,
    });
    expect(
      await copied('int8', '(1, null), (2, null), (-9223372036854775808, null)', 'score float8', encoder, said),
    ).toEqual([
      [3, '1', '1', null, Math.PI, null, null],
      [3, '1', '2', null, null, 'out_of_range', null],
      [3, '1', '-9223372036854775808', null, -Number.MAX_VALUE, null, null],
    ]);
  });
});

test('a connection that has written a COPY takes the next query', async () => {
  const client = await database.client();
  const writer = await CopyWriter.open(client, COPY);
  await writer.write(row(1, 'one'));
  await writer.write(Buffer.concat([row(2, ''), row(3, 'three')]));
  expect(await writer.finish()).toBe(3);
  const empty = await CopyWriter.open(client, COPY);
  expect(await empty.finish()).toBe(0);
  expect((await client.query('select count(*)::int as n from target')).rows).toEqual([{ n: 3 }]);
});

describe('what the server refuses is told with its own error', () => {
  test('a table that is not there, at once', async () => {
    const client = await database.client();
    await expect(CopyWriter.open(client, 'copy no_such_table from stdin (format binary)')).rejects.toMatchObject({
      code: '42P01',
    });
  });

  test('a lock that takes too long, at once', async () => {
    const client = await database.client();
    const other = await database.client();
    await other.query('begin; lock table target');
    await client.query(`set lock_timeout to '50ms'`);
    await expect(CopyWriter.open(client, COPY)).rejects.toMatchObject({ code: '55P03' });
    await other.query('rollback');
  });

  test.each([
    ['a NULL where none may be', tuple([null, text('x')]), '23502'],
    ['a value of another type', tuple([Buffer.alloc(8), text('x')]), '22P03'],
    ['a text that is no UTF-8', tuple([int4(1), Buffer.from([0xff])]), '22021'],
    ['too many columns', tuple([int4(1), text('x'), float4(1)]), '22P04'],
  ])('%s', async (_, tuples, code) => {
    const client = await database.client();
    const writer = await CopyWriter.open(client, COPY);
    await writer.write(row(1, 'good'));
    const writing = writer.write(tuples).then(() => writeOn(writer));
    await expect(writing).rejects.toMatchObject({ code });
    await expect(writer.write(row(2, 'late'))).rejects.toMatchObject({ code });
    await expect(writer.finish()).rejects.toMatchObject({ code });
    await writer.abort(new Error('given up'));
    expect(await rowsWritten()).toEqual([]);
  });

  test('a duplicate key at the end', async () => {
    await observer.query('create unique index on target (id)');
    const client = await database.client();
    const writer = await CopyWriter.open(client, COPY);
    await writer.write(Buffer.concat([row(1, 'one'), row(1, 'again')]));
    await expect(writer.finish()).rejects.toMatchObject({ code: '23505' });
  });
});

describe('a lost connection is told, never waited for', () => {
  test('terminated by an administrator in the middle', async () => {
    const client = await database.client();
    const pid = await backendOf(client);
    const writer = await CopyWriter.open(client, COPY);
    await writer.write(row(1, 'one'));
    await observer.query('select pg_terminate_backend($1)', [pid]);
    await expect(writeOn(writer)).rejects.toThrow(/terminat|EPIPE|ECONNRESET/);
    await writer.abort(new Error('given up'));
    expect(await rowsWritten()).toEqual([]);
  });

  test('terminated while it waits for the server', async () => {
    await observer.query('create unique index on target (id)');
    const blocker = await database.client();
    await blocker.query(`begin; insert into target values (1, 'mine')`);
    const client = await database.client();
    const pid = await backendOf(client);
    const writer = await CopyWriter.open(client, COPY);
    const writing = expect(writer.write(row(1, 'one')).then(() => writeOn(writer))).rejects.toThrow(/terminat/);
    await waitFor(async () => {
      const { rows } = await observer.query('select wait_event_type from pg_stat_activity where pid = $1', [pid]);
      return rows[0]?.wait_event_type === 'Lock';
    });
    await observer.query('select pg_terminate_backend($1)', [pid]);
    await writing;
    await blocker.query('rollback');
  });

  test('closed by us', async () => {
    const client = await database.client();
    const writer = await CopyWriter.open(client, COPY);
    await client.end();
    await expect(writer.write(row(1, 'one'))).rejects.toThrow('Connection terminated');
    await expect(writer.finish()).rejects.toThrow('Connection terminated');
  });
});

describe('a COPY that is given up leaves nothing behind', () => {
  test('in the middle', async () => {
    const client = await database.client();
    const pid = await backendOf(client);
    const writer = await CopyWriter.open(client, COPY);
    await writer.write(manyRows);
    await writer.abort(new Error('run cancelled'));
    await backendGone(pid);
    expect(await rowsWritten()).toEqual([]);
    await expect(writer.write(row(1, 'late'))).rejects.toThrow('run cancelled');
  });

  test('while the server waits for a lock', async () => {
    await observer.query('create unique index on target (id)');
    const blocker = await database.client();
    await blocker.query(`begin; insert into target values (1, 'mine')`);
    const client = await database.client();
    const writer = await CopyWriter.open(client, COPY);
    const writing = expect(writer.write(row(1, 'one')).then(() => writeOn(writer))).rejects.toThrow();
    await writer.abort(new Error('run cancelled'));
    await writing;
    await blocker.query('rollback');
    await waitFor(async () => (await rowsWritten()).length === 0);
  });

  test('twice, or with what is no error', async () => {
    const client = await database.client();
    const writer = await CopyWriter.open(client, COPY);
    await writer.abort('no error at all');
    await writer.abort(new Error('again'));
    expect(await rowsWritten()).toEqual([]);
  });
});

test('a slow server holds the writer back', async () => {
  const blocker = await database.client();
  await observer.query('create unique index on target (id)');
  await blocker.query(`begin; insert into target values (1, 'mine')`);
  const client = await database.client();
  const pid = await backendOf(client);
  const writer = await CopyWriter.open(client, COPY);
  await writer.write(manyRows);
  await waitFor(async () => {
    const { rows } = await observer.query('select wait_event_type from pg_stat_activity where pid = $1', [pid]);
    return rows[0]?.wait_event_type === 'Lock';
  });
  let written = 0;
  const writing = (async () => {
    for (; written < 100; written += 1) await writer.write(row(-1 - written, 'x'.repeat(1_000_000)));
    return writer.finish();
  })();
  await waitFor(async () => {
    const before = written;
    await observer.query('select pg_sleep(0.2)');
    return before === written;
  });
  expect(written).toBeLessThan(50);
  await blocker.query('rollback');
  expect(await writing).toBe(10_100);
});
