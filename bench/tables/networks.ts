import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import type pg from 'pg';
import type { SourceColumn } from '../../src/copy/source-column.ts';
import { spread, spreadOf, table, thousands, type Requirement, type Spread } from '../figures.ts';
import type { BenchPlan } from '../plan.ts';
import { settled } from '../processes.ts';
import { FEATURES, makeSource, type Stage } from '../stage.ts';
import { measureThroughput, type Throughput } from './large-runs.ts';
import { LimitMeter, scoredBy, type Limit } from './limit.ts';

/** A table scored by a model that ONNX Runtime computes. */
export type NetworkCost = {
  readonly name: string;
  readonly rows: number;
  readonly rowsPerSecond: Spread;
  /** The rate of the limit. */
  readonly limit: Spread;
  /** pgscore's rate by the limit's, in rounds that stand next to each other. */
  readonly ofLimit: Spread;
  /** The same of CPU time: that of the limit by what pgscore and the server spend in a run. */
  readonly ofLimitCpu: Spread;
  /** CPU time of the scorers, and of ONNX Runtime alone over the same tensors. */
  readonly scorerCpuSeconds: Spread;
  readonly inferenceCpuSeconds: Spread;
};

type Network = {
  readonly name: string;
  readonly model: string;
  readonly source: string;
  readonly features: readonly SourceColumn[];
  makeSource(client: pg.Client, rows: number): Promise<void>;
};

const STEPS = 16;
const WIDTH = 8;

const MLP: Network = {
  name: 'an MLP of 20 features',
  model: 'mlp',
  source: 'mlp_source',
  features: FEATURES.map((name) => ({ name, role: 'feature', type: 'float4', width: 1 })),
  makeSource: (client, rows) => makeSource(client, 'mlp_source', rows),
};

const TRANSFORMER: Network = {
  name: `a transformer over real[][] of ${STEPS} x ${WIDTH}`,
  model: 'transformer',
  source: 'steps_source',
  features: [{ name: 'steps', role: 'feature', type: '_float4', width: STEPS * WIDTH, shape: [STEPS, WIDTH] }],
  makeSource: async (client, rows) => {
    const step = `array[${Array.from({ length: WIDTH }, () => '(random() * 2 - 1)::real').join(', ')}]`;
    const steps = `array[${Array.from({ length: STEPS }, () => step).join(', ')}]`;
    await client.query('select setseed(0.5)');
    const create = `create table steps_source as select i as id, ${steps} as steps from generate_series(1::bigint, ${rows}) i`;
    for (const line of [create, 'alter table steps_source add primary key (id)', 'vacuum (analyze) steps_source'])
      await client.query(line);
  },
};

type Setting = {
  readonly stage: Stage;
  readonly requester: pg.Client;
  readonly owner: pg.Client;
  readonly plan: BenchPlan;
  readonly tell: (line: string) => void;
};

export async function measureNetworks(setting: Setting): Promise<NetworkCost[]> {
  const { plan } = setting;
  const mlp = await measureNetwork(setting, MLP, plan.rows);
  return [mlp, await measureNetwork(setting, TRANSFORMER, plan.fewRows)].flat();
}

/** None where the server's processes are not on this machine, so that its CPU time can't be seen. */
async function measureNetwork(setting: Setting, network: Network, rows: number): Promise<NetworkCost[]> {
  const { stage, requester, owner, plan, tell } = setting;
  const { name, model, source, features } = network;
  tell(`${name}: a table of ${rows} rows`);
  await network.makeSource(requester, rows);
  await deploy(requester, model);
  const run = (): Promise<Throughput> => measureThroughput(requester, stage.service, source, rows, model);
  await run();
  const scored = await scoredBy(owner, source, rows, [{ name: 'id', role: 'key' }, ...features]);
  const meter = await LimitMeter.prepare(stage.ownerUrl, availableParallelism(), scored);
  if (meter === undefined) return [];
  try {
    const rounds: { readonly own: Throughput; readonly limit: Limit }[] = [];
    for (let round = 1; round <= plan.rounds; round += 1) {
      tell(`${name}: round ${round} of ${plan.rounds}`);
      await settled(owner);
      const own = await run();
      await settled(owner);
      rounds.push({ own, limit: await meter.measure() });
    }
    const of = (measure: (round: (typeof rounds)[number]) => number): Spread => spreadOf(rounds.map(measure));
    return [
      {
        name,
        rows,
        rowsPerSecond: of(({ own }) => own.rowsPerSecond),
        limit: of(({ limit }) => limit.rowsPerSecond),
        ofLimit: of(({ own, limit }) => own.rowsPerSecond / limit.rowsPerSecond),
        ofLimitCpu: of(({ own, limit }) => cpuSecondsOf(limit) / own.allCpuSeconds),
        scorerCpuSeconds: of(({ own }) => own.scorerCpuSeconds),
        inferenceCpuSeconds: of(({ limit }) => limit.inferenceCpuSeconds),
      },
    ];
  } finally {
    await meter.end();
  }
}

function cpuSecondsOf({ copyOutCpuSeconds, inferenceCpuSeconds, copyInCpuSeconds }: Limit): number {
  return copyOutCpuSeconds + inferenceCpuSeconds + copyInCpuSeconds;
}

async function deploy(client: pg.Client, model: string): Promise<void> {
  const bytes = await readFile(new URL(`../${model}.onnx`, import.meta.url));
  const { rows } = await client.query<{ version: string }>('select pgscore.deploy($1, $2) as version', [model, bytes]);
  const wait = `call pgscore.wait_for_version(${client.escapeLiteral(rows[0]?.version ?? '')})`;
  await client.query(wait);
}

export function networkRequirements(networks: readonly NetworkCost[]): Requirement[] {
  return networks.map(({ name, ofLimit }) => ({
    what: `${name}: at least 0.85 of its limit`,
    measured: ofLimit.median.toFixed(2),
    met: ofLimit.median >= 0.85,
  }));
}

export function networkTable(networks: readonly NetworkCost[]): string {
  return table(
    [
      'a table scored by',
      'rows',
      'rows/s',
      'its limit',
      'of it',
      'of its CPU time',
      'scorers, CPU s',
      'ONNX Runtime alone',
    ],
    networks.map((cost) => [
      cost.name,
      thousands(cost.rows),
      spread(cost.rowsPerSecond),
      spread(cost.limit),
      spread(cost.ofLimit, 2),
      spread(cost.ofLimitCpu, 2),
      spread(cost.scorerCpuSeconds, 2),
      spread(cost.inferenceCpuSeconds, 2),
    ]),
  );
}
