import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { ident } from '../src/lib/text.ts';
import { quantile, table, thousands, type Requirement } from './figures.ts';
import { measureIdle, type Idle } from './idle.ts';
import type { LoadPlan } from './plan.ts';
import { measureCallRate } from './score/calls.ts';
import { asOwner, asRequester, FEATURES, makeSource, type Stage } from './stage.ts';

/** Transactions a second of all clients, on a table that is watched and on one that is not. */
type Load = { readonly what: string; readonly commit: 'off' | 'on'; readonly watched: number; readonly plain: number };

/** What watches take of a server and a service beside single statements. */
export type WatchLoad = {
  readonly clients: number;
  readonly loads: readonly Load[];
  /** A service with this many watches and nothing to do. */
  readonly watches: number;
  readonly idle: Idle;
};

const WATCHES = 10;
const COMMITS = ['off', 'on'] as const;

export async function measureWatchLoad(stage: Stage, plan: LoadPlan, tell: (line: string) => void): Promise<WatchLoad> {
  const client = await asRequester(stage);
  try {
    tell(`${plan.clients} clients that write, with and without a watch`);
    const loads = await measureLoads(client, stage, plan);
    tell(`${plan.idleSeconds} s of nothing to do for ${WATCHES} watches`);
    return { clients: plan.clients, loads, watches: WATCHES, idle: await measureIdleWatches(client, stage, plan) };
  } finally {
    await client.end();
  }
}

async function measureLoads(client: pg.Client, stage: Stage, plan: LoadPlan): Promise<Load[]> {
  for (const name of ['loaded', 'unloaded']) await makeSource(client, name, plan.rows);
  await client.query('create sequence load_id start 1000000000');
  await client.query(`select pgscore.watch('trees', 'loaded', target => 'loaded_live')`);
  await atRest(client);
  // What scores would take the processors from who writes.
  await client.query(`select pgscore.pause_watch('loaded_live')`);
  const inserted = ['$1', ...FEATURES.slice(1).map(() => '0')].join(', ');
  const statements: [string, (name: string) => string][] = [
    ['insert', (name) => `insert into ${ident(name)} values (nextval('load_id'), ${inserted})`],
    ['update', (name) => `update ${ident(name)} set f0 = f0 + 1 where id = $1`],
  ];
  const loads: Load[] = [];
  for (const commit of COMMITS)
    for (const [what, statement] of statements) {
      const settings = { search_path: 'pgscore_bench', synchronous_commit: commit };
      const rate = async (name: string): Promise<number> => {
        const calls = { clients: plan.clients, seconds: plan.loadSeconds, tableRows: plan.rows };
        const repeated = { settings, call: statement(name) };
        return (await measureCallRate(stage.requesterUrl, repeated, calls, stage.ownerUrl)).perSecond;
      };
      loads.push({ what, commit, ...(await inTurns(plan.rounds, rate)) });
    }
  await client.query(`select pgscore.unwatch('loaded_live')`);
  return loads;
}

async function inTurns(
  rounds: number,
  rate: (name: string) => Promise<number>,
): Promise<Pick<Load, 'watched' | 'plain'>> {
  const [watched, plain]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round += 1) {
    watched.push(await rate('loaded'));
    plain.push(await rate('unloaded'));
  }
  return { watched: quantile(watched, 0.5), plain: quantile(plain, 0.5) };
}

async function measureIdleWatches(client: pg.Client, stage: Stage, { idleSeconds }: LoadPlan): Promise<Idle> {
  const names = Array.from({ length: WATCHES }, (_, at) => `resting_${at}`);
  for (const name of names) {
    await makeSource(client, name, 100);
    await client.query(`select pgscore.watch('trees', $1, target => $2)`, [name, `${name}_live`]);
  }
  await atRest(client);
  const owner = await asOwner(stage);
  try {
    return await measureIdle(owner, stage.service, idleSeconds);
  } finally {
    await owner.end();
    for (const name of names) await client.query(`select pgscore.unwatch($1)`, [`${name}_live`]);
  }
}

async function atRest(client: pg.Client): Promise<void> {
  for (;;) {
    const { rows } = await client.query<{ error: string | null }>(
      `select error from pgscore.watches where state <> 'following' and state <> 'paused'`,
    );
    if (rows.length === 0) return;
    if (rows[0]?.error) throw new Error(rows[0].error);
    await sleep(100);
  }
}

const LEAST_SHARE: Readonly<Record<string, number>> = { insert: 0.75, update: 0.65 };

export function watchLoadRequirements({ clients, loads, watches, idle }: WatchLoad): Requirement[] {
  const { service, sessions } = idle;
  const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
  return [
    ...loads
      .filter(({ commit }) => commit === 'off')
      .map(({ what, watched, plain }) => {
        const least = LEAST_SHARE[what] ?? 1;
        return {
          what: `${clients} clients with asynchronous commit keep ${100 * least} % of their ${what}s a second`,
          measured: percent(watched / plain),
          met: watched / plain >= least,
        };
      }),
    {
      what: `a service with ${watches} watches and nothing to do takes under 1 % of a core`,
      measured: percent(service),
      met: service < 0.01,
    },
    {
      what: 'and its sessions in the server under 1 %',
      measured: sessions === null ? 'not measured' : percent(sessions),
      met: sessions === null ? null : sessions < 0.01,
    },
  ];
}

export function watchLoadTables({ clients, loads }: WatchLoad): string[] {
  return [
    `Transactions a second of ${clients} clients, each with one statement of one row.`,
    table(
      ['statement', 'synchronous_commit', 'with a watch', 'without', 'share'],
      loads.map(({ what, commit, watched, plain }) => [
        what,
        commit,
        thousands(watched),
        thousands(plain),
        `${((100 * watched) / plain).toFixed(0)} %`,
      ]),
    ),
  ];
}
