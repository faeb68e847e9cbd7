import { jest } from '@jest/globals';
import type { Client } from 'pg';

import type { TestDatabase } from '../support/database.ts';
import { deployModel } from '../support/deploy.ts';
import { startProxy } from '../support/proxy.ts';
import { startTestService } from '../support/service.ts';
import { READER_PASSWORD, SERVICE_PASSWORD } from '../support/service-passwords.ts';
import { waitFor } from '../support/wait-for.ts';

/** Seconds of work take minutes where the machine does other things, too. */
export const PATIENCE_MS = 90_000;
jest.setTimeout(2 * PATIENCE_MS);

/** Leases and polls short enough for a test, scorers that share a run, and batches so small that `LARGE` rows take a while. */
export const PACE = { PGSCORE_SCORERS: '2', PGSCORE_LEASE: '3', PGSCORE_POLL: '0.2', PGSCORE_BATCH_ROWS: '4' };

/** The most rows that are published in place. */
export const ONE_BATCH = Number(PACE.PGSCORE_BATCH_ROWS);

/** Rows that fill more than 512 pages, so that they are scored in shards. */
export const LARGE = 2000;

/** A service that reaches its database through a proxy, which can lose replies, be slow or fall silent. */
export async function startBehindProxy(database: TestDatabase) {
  const proxy = await startProxy(database.url());
  const service = await startTestService(database, {
    ...PACE,
    PGSCORE_BATCH_ROWS: '8192',
    PGSCORE_DATABASE_URL: proxy.url(database.url({ user: 'pgscore_service', password: SERVICE_PASSWORD })),
    PGSCORE_READER_URL: proxy.url(database.url({ user: 'pgscore_reader', password: READER_PASSWORD })),
  });
  return { proxy, service };
}

const FEATURES = Array.from({ length: 20 }, (_, n) => `f${n}`);

/** A model over 20 features that is soon loaded, not compiled; deployed by `ada` to a running service. */
export async function deployLogistic(ada: Client): Promise<void> {
  await deployModel(ada, 'logistic', 'bench/logistic.onnx', { native: false });
}

/** A table of `rows` rows with the key `id` from 1 on. A column that no model reads makes few rows fill many pages: two of `LARGE` fill one. */
export async function createSource(owner: Client, name: string, rows: number): Promise<void> {
  const columns = FEATURES.map((feature) => `${feature} real`).join(', ');
  const values = FEATURES.map((_, n) => `sin(i * ${n + 1})`).join(', ');
  const create = `create table ${name} (id bigint primary key, ${columns}, filler text storage plain)`;
  const fill = `insert into ${name} select i, ${values}, repeat('x', ${rows === LARGE ? 3900 : 300}) from generate_series(1, ${rows}) i`;
  await owner.query(create);
  await owner.query(fill);
}

type Shards = { done: number; running: number; queued: number };

/** Waits until a run over a large table has scored something and has more to do. */
export async function midRun(superuser: Client, run: string): Promise<void> {
  await waitFor(
    async () => {
      const { done, running, queued } = await shardsOf(superuser, run);
      return done > 0 && running > 0 && queued + running > 1;
    },
    { timeout: PATIENCE_MS, message: `run ${run} to be in its middle` },
  );
}

async function shardsOf(superuser: Client, run: string): Promise<Shards> {
  const { rows } = await superuser.query<Shards>(
    `select count(*) filter (where s.state = 'done')::int as done, count(*) filter (where s.state = 'running')::int as running,
            count(*) filter (where s.state = 'queued')::int as queued
       from pgscore_data.run r join pgscore_data.shard s using (run_id, attempt) where r.run_id = $1 and r.state = 'running'`,
    [run],
  );
  return rows[0] ?? { done: 0, running: 0, queued: 0 };
}

/** Waits until a source that sleeps is being read. */
export async function sleeping(superuser: Client): Promise<void> {
  const asleep = `select from pg_stat_activity
    where application_name = 'pgscore reader' and wait_event = 'PgSleep' and datname = current_database()`;
  await waitFor(async () => (await superuser.query(asleep)).rows.length > 0, { message: 'the source to be read' });
}
