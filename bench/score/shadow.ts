import { readFile } from 'node:fs/promises';
import type pg from 'pg';
import { pause } from '../../src/lib/retry.ts';
import { ENDLESS, SLOW_SIGNATURE, SLOW_X, slowModel } from '../../test/support/slow-model.ts';
import { quantile } from '../figures.ts';
import type { ScorePlan } from '../plan.ts';
import { childWith, settled } from '../processes.ts';

const TREES = new URL('../trees.onnx', import.meta.url);
const CALL = `select pgscore.score('shaded', t) as score from loose t where t.id = $1`;
const HANG = `select pgscore.score('shaded', to_jsonb(t) || jsonb_build_object('f0', $1::float8)) from loose t where t.id = 1`;
const STATE = `select calls_waiting > 0 as waits, arm_error is not null as ended from pgscore.experiments where model = 'shaded'`;

/** The slowest of a hundred calls of a model whose shadow hangs. */
export type ShadowedCalls = {
  readonly calls: number;
  /** While the shadow is stopped. */
  readonly withoutMs: number;
  readonly besideMs: number;
  /** Over a long time: of that a shadow hangs for a hundredth. */
  readonly overallMs: number;
  /** Whether it hung all the time. */
  readonly hung: boolean;
};

const TURN_CALLS = 100;
/** The service looks for such calls every two seconds and starts a process for them, which loads the model. */
const STARTED_MS = 5000;

/** In turns, so that whatever else the machine does meets both. */
export async function measureShadowedCalls(
  client: pg.Client,
  owner: pg.Client,
  servicePid: number,
  { singleCalls, tableRows }: ScorePlan,
): Promise<ShadowedCalls> {
  await deployHanging(client, owner);
  await client.query('set pgscore.execution = online');
  await timesOf(client, singleCalls, tableRows);
  await settled(owner);
  await client.query(`select pgscore.start_experiment('shaded', kind => 'shadow', arms => '{"shaded@2": 100}')`);
  await client.query(HANG, [SLOW_X]);
  await until(client, ({ waits }) => waits);
  let shadow: number | undefined;
  while (shadow === undefined) {
    await pause(STARTED_MS);
    shadow = childWith(servicePid, 'shadow/main');
  }
  const without: number[] = [];
  const beside: number[] = [];
  while (beside.length < singleCalls) {
    beside.push(...(await timesOf(client, TURN_CALLS, tableRows)));
    process.kill(shadow, 'SIGSTOP');
    without.push(...(await timesOf(client, TURN_CALLS, tableRows)));
    process.kill(shadow, 'SIGCONT');
  }
  const hung = !(await stateOf(client)).ended;
  await client.query(`select pgscore.stop_experiment('shaded')`);
  process.kill(shadow, 'SIGKILL');
  await until(client, ({ ended }) => ended);
  await client.query('reset pgscore.execution');
  return {
    calls: singleCalls,
    withoutMs: quantile(without, 0.99),
    besideMs: quantile(beside, 0.99),
    overallMs: overall(without, beside),
    hung,
  };
}

/** See _fail_shadow() in sql/experiments/shadow_calls.sql. */
const HUNG_SHARE = 0.01;

/** The slowest of a hundred calls, of which so many are made beside a shadow that hangs. */
function overall(without: readonly number[], beside: readonly number[]): number {
  const all = [
    ...without.map((ms) => ({ ms, share: (1 - HUNG_SHARE) / without.length })),
    ...beside.map((ms) => ({ ms, share: HUNG_SHARE / beside.length })),
  ].toSorted((one, other) => one.ms - other.ms);
  let below = 0;
  for (const { ms, share } of all) {
    below += share;
    if (below >= 0.99) return ms;
  }
  return Number.NaN;
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

async function timesOf(client: pg.Client, calls: number, tableRows: number): Promise<number[]> {
  const times: number[] = [];
  for (let call = 0; call < calls; call += 1) {
    const began = performance.now();
    await client.query({ name: 'shaded', text: CALL, values: [1 + ((call * 7919) % tableRows)] });
    times.push(performance.now() - began);
  }
  return times;
}

type State = { readonly waits: boolean; readonly ended: boolean };

async function stateOf(client: pg.Client): Promise<State> {
  const { rows } = await client.query<State>(STATE);
  return rows[0] ?? { waits: false, ended: false };
}

async function until(client: pg.Client, condition: (state: State) => boolean): Promise<void> {
  while (!condition(await stateOf(client))) await pause(100);
}
