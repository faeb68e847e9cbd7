import type pg from 'pg';
import { spread, spreadOf, table, type Requirement, type Spread } from './figures.ts';
import type { BenchPlan } from './plan.ts';
import { cpuSecondsOfFamily } from './processes.ts';
import { FEATURES, makeSource } from './stage.ts';
import { ident } from '../src/lib/text.ts';
import { deployToFirstRow } from './tables/small-runs.ts';

/** Runs over a distributed table beside runs over a plain one with the same rows, and scans that score natively. */
export type CitusCost = Comparison & { readonly scan: Comparison };

type Comparison = {
  readonly rowsPerSecond: Spread;
  /** By that of the plain table, right before. */
  readonly ofPlain: Spread;
  /** CPU-seconds of PostgreSQL for all rows: of the plain table, and of the distributed one on all nodes. */
  readonly plainCpuSeconds: Spread;
  readonly cpuSeconds: Spread;
  /** Of those of the distributed one, what the coordinator spends; null where a node is on another machine. */
  readonly coordinatorShare: Spread | null;
};

export async function measureCitus(
  requester: pg.Client,
  owner: pg.Client,
  { rows, rounds }: BenchPlan,
  tell: (line: string) => void,
): Promise<CitusCost> {
  await deployToFirstRow(requester, 'one_row');
  tell(`a plain and a distributed table of ${rows} rows`);
  await makeSource(requester, 'plain', rows);
  const create = `create table spread (id bigint primary key, ${FEATURES.map((name) => `${name} real`).join(', ')})`;
  await requester.query(create);
  await requester.query(`select create_distributed_table('spread', 'id')`);
  await requester.query('insert into spread select * from plain');
  await requester.query('vacuum (analyze) spread');
  const nodes = await postmasters(owner);
  const measured = async (work: (source: string) => Promise<void>): Promise<Comparison> => {
    const costs = [];
    for (let round = 0; round <= rounds; round += 1) {
      const plain = await costOf(() => work('plain'), nodes);
      costs.push({ plain, distributed: await costOf(() => work('spread'), nodes) });
    }
    // Of the first round nothing counts: code is compiled then.
    return summary(costs.slice(1), rows);
  };
  const runs = await measured((source) => run(requester, source));
  tell('native scores in a query over both');
  return { ...runs, scan: await measured((source) => scan(requester, source)) };
}

type Cost = { readonly seconds: number; readonly cpu: readonly number[] };

function summary(costs: readonly { plain: Cost; distributed: Cost }[], rows: number): Comparison {
  const sum = ({ cpu }: Cost): number => cpu.reduce((all, seconds) => all + seconds, 0);
  const isHere = costs.every(({ distributed }) => sum(distributed) > 0);
  return {
    rowsPerSecond: spreadOf(costs.map(({ distributed }) => rows / distributed.seconds)),
    ofPlain: spreadOf(costs.map(({ plain, distributed }) => plain.seconds / distributed.seconds)),
    plainCpuSeconds: spreadOf(costs.map(({ plain }) => sum(plain))),
    cpuSeconds: spreadOf(costs.map(({ distributed }) => sum(distributed))),
    coordinatorShare: isHere
      ? spreadOf(costs.map(({ distributed }) => (distributed.cpu[0] ?? 0) / sum(distributed)))
      : null,
  };
}

/** The postmasters of the coordinator and of the workers; what is no process of this machine counts nothing. */
async function postmasters(owner: pg.Client): Promise<number[]> {
  const { rows } = await owner.query<{ pid: string }>(
    `select split_part(pg_read_file('postmaster.pid'), chr(10), 1) as pid
     union all
     (select result from run_command_on_workers($$select split_part(pg_read_file('postmaster.pid'), chr(10), 1)$$))`,
  );
  return rows.map(({ pid }) => Number(pid));
}

async function run(client: pg.Client, source: string): Promise<void> {
  const { rows } = await client.query<{ run: string }>(`select pgscore.score_table('trees', $1) as run`, [source]);
  await client.query('call pgscore.wait_for_run($1)', [rows[0]?.run]);
}

async function scan(client: pg.Client, source: string): Promise<void> {
  const query = `select count(pgscore.score('trees', s)) from ${ident(source)} s`;
  await client.query(query);
}

async function costOf(work: () => Promise<void>, nodes: readonly number[]): Promise<Cost> {
  const before = nodes.map(cpuSecondsOfFamily);
  const began = performance.now();
  await work();
  const seconds = (performance.now() - began) / 1000;
  return { seconds, cpu: nodes.map((pid, at) => cpuSecondsOfFamily(pid) - (before[at] ?? 0)) };
}

export function citusRequirements({ scan: scanned, ...runs }: CitusCost): Requirement[] {
  return [
    ...requirements('a run over a distributed table', runs, 0.8),
    ...requirements('a native scan of a distributed table', scanned, 0.9),
  ];
}

function requirements(what: string, { ofPlain, coordinatorShare }: Comparison, least: number): Requirement[] {
  return [
    {
      what: `${what} at ${least} of the rate of a plain one`,
      measured: ofPlain.median.toFixed(2),
      met: ofPlain.median >= least,
    },
    {
      what: `${what}: the coordinator spends at most a fifth of PostgreSQL's CPU`,
      measured: coordinatorShare === null ? 'not measured' : `${(100 * coordinatorShare.median).toFixed(0)} %`,
      met: coordinatorShare === null ? null : coordinatorShare.median <= 0.2,
    },
  ];
}

export function citusTable({ scan: scanned, ...runs }: CitusCost): string {
  return [
    comparisonTable('a run over a distributed table', runs),
    comparisonTable('a native scan of a distributed table', scanned),
  ].join('\n\n');
}

function comparisonTable(what: string, cost: Comparison): string {
  return table(
    [what, 'measured'],
    [
      ['rows/s', spread(cost.rowsPerSecond)],
      ['by the rate of a plain table', spread(cost.ofPlain, 2)],
      ['CPU-seconds of PostgreSQL, plain', spread(cost.plainCpuSeconds, 2)],
      ['CPU-seconds of PostgreSQL, distributed', spread(cost.cpuSeconds, 2)],
      ...(cost.coordinatorShare === null ? [] : [["the coordinator's share", spread(cost.coordinatorShare, 2)]]),
    ],
  );
}
