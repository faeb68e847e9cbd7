import { readFileSync } from 'node:fs';

import { expect, test } from '@jest/globals';

import { pause } from '../../src/lib/retry.ts';
import { deployModel } from '../support/deploy.ts';
import { howMany } from '../support/night.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { waitFor } from '../support/wait-for.ts';

const MANY = howMany(40, 100);
/** Of the service and its readers, whatever it has to follow. */
const MOST_SESSIONS = 30;

const { service, superuser, ada, alice } = await scoreFixture();
await deployModel(ada, 'iris', 'test/models/iris_multiclass.onnx');

async function sessions(): Promise<number> {
  const { rows } = await superuser.query<{ n: number }>(
    `select count(*)::int as n from pg_stat_activity where datname = current_database() and application_name like 'pgscore%'`,
  );
  return rows[0]?.n ?? 0;
}

/** Waits until each target has that many rows and nothing waits. Resolves with the most sessions that there were. */
async function allHave(rows: number): Promise<number> {
  let most = 0;
  await waitFor(
    async () => {
      most = Math.max(most, await sessions());
      const { rows: seen } = await alice.query<{ state: string; error: string | null; n: string }>(
        `select state, count(*) as n, min(error) as error from pgscore.watches group by 1`,
      );
      if (seen.length === 1 && seen[0]?.state === 'following') return true;
      throw new Error(JSON.stringify(seen));
    },
    { timeout: 120_000, message: `${MANY} watches to be at rest` },
  );
  const { rows: counts } = await superuser.query<{ rows: string }>(
    'select distinct current_rows as rows from pgscore_data.target',
  );
  expect(counts).toEqual([{ rows: String(rows) }]);
  return most;
}

/** Seconds of processor time that the service and the backends of its sessions have taken. */
async function cpuSeconds(): Promise<{ service: number; backends: number }> {
  const { rows } = await superuser.query<{ pid: number }>(
    `select pid from pg_stat_activity where datname = current_database() and application_name like 'pgscore%'`,
  );
  const of = (pids: readonly number[]): number => pids.map(computed).reduce((sum, seconds) => sum + seconds, 0);
  return {
    service: of([service.pid, ...(await service.stayingPids())]),
    backends: of(rows.map(({ pid }) => pid)),
  };
}

function computed(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return 0;
  }
}

test('a service follows many watches with few sessions, and rests when nothing changes', async () => {
  for (let n = 1; n <= MANY; n += 1) {
    const create = `create table flowers_${n} (id bigint primary key, sepal_length real, sepal_width real, petal_length real, petal_width real);
        insert into flowers_${n} select i, 5, 3, i % 7, 1 from generate_series(1, 20) i;
        select pgscore.watch('iris', 'flowers_${n}', target => 'live_${n}')`;
    await alice.query(create);
  }
  const started = performance.now();
  expect(await allHave(20)).toBeLessThan(MOST_SESSIONS);
  const first = performance.now() - started;
  const changed = performance.now();
  for (let n = 1; n <= MANY; n += 1) {
    const insert = `insert into flowers_${n} values (100, 5, 3, 4, 1)`;
    await alice.query(insert);
  }
  expect(await allHave(21)).toBeLessThan(MOST_SESSIONS);
  const second = performance.now() - changed;
  await pause(2000);
  const before = await cpuSeconds();
  await pause(3000);
  const after = await cpuSeconds();
  const idle = { service: (after.service - before.service) / 3, backends: (after.backends - before.backends) / 3 };
  console.log(
    `at rest after ${(first / 1000).toFixed(1)} s and ${(second / 1000).toFixed(1)} s; idle, of a core: ` +
      `service ${(100 * idle.service).toFixed(1)} %, database ${(100 * idle.backends).toFixed(1)} %`,
  );
  expect(idle.service).toBeLessThan(0.1);
  expect(idle.backends).toBeLessThan(0.2);
}, 300_000);
