import { readFile } from 'node:fs/promises';
import type pg from 'pg';
import { pause } from '../../src/lib/retry.ts';
import { ENDLESS, SLOW_SIGNATURE, SLOW_X, slowModel } from '../../test/support/slow-model.ts';
import { quantile, table, thousands, type Requirement } from '../figures.ts';
import type { ScorePlan } from '../plan.ts';
import { childWith } from '../processes.ts';

const TREES = new URL('../trees.onnx', import.meta.url);
const CALL = `select pgscore.score('shaded', t) as score from loose t where t.id = $1`;
const HANG = `select pgscore.score('shaded', to_jsonb(t) || jsonb_build_object('f0', $1::float8)) from loose t where t.id = 1`;

/** The slowest of a hundred calls of a model whose shadow hangs whenever it is tried. */
export type ShadowedCalls = {
  readonly calls: number;
  /** How often the shadow hung and was killed. */
  readonly cycles: number;
  /** Of all calls, of those while no shadow ran, and of those while one was started, hung or caught up. */
  readonly allMs: number;
  readonly withoutMs: number;
  readonly besideMs: number;
};

/** A call every 10 ms; between turns of so many, a look at the processes and a row on which the shadow hangs. */
const CALL_MS = 10;
const TURN_CALLS = 10;

/** Calls over whole cycles: the shadow hangs, is killed, rests a hundred times as long, and is tried again. */
export async function measureShadowedCalls(
  client: pg.Client,
  owner: pg.Client,
  servicePid: number,
  { shadowCycles, unmeasuredCalls, tableRows }: ScorePlan,
): Promise<ShadowedCalls> {
  await deployHanging(client, owner);
  await client.query('set pgscore.execution = online');
  for (let call = 0; call < unmeasuredCalls; call += 1) await timeOf(client, call, tableRows);
  await client.query(`select pgscore.start_experiment('shaded', kind => 'shadow', arms => '{"shaded@2": 100}')`);
  const without: number[] = [];
  const beside: number[] = [];
  let wasThere = false;
  let began = 0;
  while (began <= shadowCycles) {
    await client.query(HANG, [SLOW_X]);
    const times: number[] = [];
    for (let call = 0; call < TURN_CALLS; call += 1) {
      await pause(CALL_MS);
      times.push(await timeOf(client, call, tableRows));
    }
    const isThere = childWith(servicePid, 'shadow/main') !== undefined;
    // A cycle is from the start of one process of shadows to the start of the next.
    if (isThere && !wasThere) began += 1;
    if (began > 0 && began <= shadowCycles) (isThere || wasThere ? beside : without).push(...times);
    wasThere = isThere;
  }
  await client.query(`select pgscore.stop_experiment('shaded')`);
  const all = [...without, ...beside];
  return {
    calls: all.length,
    cycles: shadowCycles,
    allMs: quantile(all, 0.99),
    withoutMs: quantile(without, 0.99),
    besideMs: quantile(beside, 0.99),
  };
}

/** The check refuses a model that hangs, so it is put where another was. */
async function deployHanging(client: pg.Client, owner: pg.Client): Promise<void> {
  const trees = await readFile(TREES);
  for (const version of [1, 2]) {
    await client.query(`select pgscore.deploy('shaded', $1)`, [trees]);
    await client.query('call pgscore.wait_for_version($1)', [`shaded@${version}`]);
  }
  const features = SLOW_SIGNATURE.features.map((feature) => ({ ...feature, name: 'f0' }));
  const { rows } = await owner.query<{ id: number }>(
    `update pgscore_data.version set signature = $1 where version_id = (pgscore._find_version('shaded@2')).version_id
     returning version_id as id`,
    [JSON.stringify({ ...SLOW_SIGNATURE, features })],
  );
  const id = rows[0]?.id;
  await owner.query('delete from pgscore_data.artifact where version_id = $1', [id]);
  await owner.query(
    'insert into pgscore_data.artifact (version_id, is_served, piece, bytes) values ($1, false, 0, $2)',
    [id, Buffer.from(slowModel(ENDLESS))],
  );
}

async function timeOf(client: pg.Client, call: number, tableRows: number): Promise<number> {
  const began = performance.now();
  await client.query({ name: 'shaded', text: CALL, values: [1 + ((call * 7919) % tableRows)] });
  return performance.now() - began;
}

export function shadowTable({ calls, cycles, allMs, withoutMs, besideMs }: ShadowedCalls): string {
  return table(
    [
      `${thousands(calls)} calls of one client, whose shadow hung ${cycles} times and rested a hundred times as long`,
      '99 % ms',
    ],
    [
      ['all calls', allMs.toFixed(3)],
      ['those while no shadow ran', withoutMs.toFixed(3)],
      ['those while one hung', besideMs.toFixed(3)],
    ],
  );
}

export function shadowRequirements({ allMs, withoutMs, besideMs }: ShadowedCalls): Requirement[] {
  const times = (ms: number): string => `${(ms / withoutMs).toFixed(2)} times`;
  return [
    {
      what: 'calls with a shadow that hangs: 99 % at most 1.2 times as long as without',
      measured: `${times(allMs)}; ${times(besideMs)} while it hung`,
      met: allMs <= 1.2 * withoutMs,
    },
  ];
}
