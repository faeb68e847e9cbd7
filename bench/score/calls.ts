import { execFile } from 'node:child_process';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type pg from 'pg';
import { connect } from '../../src/postgres/connect.ts';
import { quantile } from '../figures.ts';
import type { ScorePlan } from '../plan.ts';

/**
 * One client that waits for each answer: a query for a row by its key, the same with score() of that row, and with score() of a model in
 * an experiment, the bare exchange, and score() of a row of a bound table, prepared; and the first two as most clients send them, planned
 * anew each time. Milliseconds.
 */
export type CallLatency = {
  readonly calls: number;
  readonly plain: Times;
  readonly scored: Times;
  readonly split: Times;
  readonly bare: Times;
  readonly native: Times;
  readonly unprepared: { readonly plain: Times; readonly scored: Times };
};

type Times = { readonly medianMs: number; readonly p99Ms: number };
type Seven = [Times, Times, Times, Times, Times, Times, Times];

const PLAIN = 'select t.* from loose t where t.id = $1';
const SCORED = `select t.*, pgscore.score('trees', t) as score from loose t where t.id = $1`;
const SPLIT = SCORED.replace(`'trees'`, `'split_trees'`);
const NATIVE = SCORED.replace('loose', 'bound');

/** In turns, row by row, so that whatever else the machine does meets all of them. */
export async function measureCallLatency(
  client: pg.Client,
  owner: pg.Client,
  { singleCalls, unmeasuredCalls, tableRows }: ScorePlan,
): Promise<CallLatency> {
  const ways: readonly ((id: number) => Promise<number>)[] = [
    (id) => timeOf(client, 'plain', PLAIN, id),
    (id) => timeOf(client, 'scored', SCORED, id),
    (id) => timeOf(client, 'split', SPLIT, id),
    (id) => timeOf(owner, 'bare', BARE.call, id),
    (id) => timeOf(client, 'native', NATIVE, id),
    (id) => timeOf(client, undefined, PLAIN, id),
    (id) => timeOf(client, undefined, SCORED, id),
  ];
  const times = ways.map((): number[] => []);
  for (const one of [client, owner]) await one.query('set pgscore.execution = online');
  for (let call = 0; call < unmeasuredCalls + singleCalls; call += 1) {
    const id = 1 + ((call * 7919) % tableRows);
    for (const [index, way] of ways.entries()) {
      const ms = await way(id);
      if (call >= unmeasuredCalls) times[index]?.push(ms);
    }
  }
  for (const one of [client, owner]) await one.query('reset pgscore.execution');
  const [plain, scored, split, bare, native, plainAnew, scoredAnew] = times.map(timesOf) as Seven;
  return {
    calls: singleCalls,
    plain,
    scored,
    split,
    bare,
    native,
    unprepared: { plain: plainAnew, scored: scoredAnew },
  };
}

async function timeOf(client: pg.Client, name: string | undefined, text: string, id: number): Promise<number> {
  const began = performance.now();
  await client.query({ ...(name !== undefined && { name }), text, values: [id] });
  return performance.now() - began;
}

function timesOf(times: readonly number[]): Times {
  return { medianMs: quantile(times, 0.5), p99Ms: quantile(times, 0.99) };
}

const run = promisify(execFile);

/** A statement that many clients repeat; `$1` is a key at random. */
export type Repeated = { readonly settings: Readonly<Record<string, string>>; readonly call: string };

/** How many clients repeat it for how long; keys are those of a table of so many rows. */
type CallPlan = Pick<ScorePlan, 'clients' | 'seconds' | 'tableRows'>;

export type CallRate = { readonly tool: 'pgbench' | 'node'; readonly perSecond: number };

/**
 * How often so many clients get a statement answered: by pgbench where it is on the path, else from this process, which takes
 * CPU time of its own. `ownerUrl`: the same database as one who may see the server's settings.
 */
export async function measureCallRate(
  url: string,
  repeated: Repeated,
  plan: CallPlan,
  ownerUrl = url,
): Promise<CallRate> {
  const pgbench = await run('pgbench', ['--version']).then(
    () => true,
    () => false,
  );
  return pgbench ? byPgbench(await socketUrl(url, ownerUrl), repeated, plan) : byNode(url, repeated, plan);
}

async function byPgbench(
  url: string,
  { settings, call }: Repeated,
  { clients, seconds, tableRows }: CallPlan,
): Promise<CallRate> {
  const folder = await mkdtemp(join(tmpdir(), 'pgscore-bench-'));
  try {
    const script = join(folder, 'call.sql');
    await writeFile(script, `\\set id random(1, ${tableRows - 1000})\n${call.replaceAll('$1', ':id')};\n`);
    const flags = ['-n', '-M', 'prepared', '-c', String(clients), '-j', '2', '-T', String(seconds), '-f', script];
    const { stdout } = await run('pgbench', [...flags, withSettings(url, settings)]);
    const perSecond = Number(/^tps = ([\d.]+)/m.exec(stdout)?.[1]);
    return { tool: 'pgbench', perSecond };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function byNode(
  url: string,
  { settings, call }: Repeated,
  { clients, seconds, tableRows }: CallPlan,
): Promise<CallRate> {
  const connections = await Promise.all(
    Array.from({ length: clients }, () => connect({ url, applicationName: 'pgscore bench', settings })),
  );
  try {
    const end = performance.now() + seconds * 1000;
    const counts = await Promise.all(
      connections.map(async (client) => {
        let count = 0;
        for (; performance.now() < end; count += 1) {
          const id = 1 + Math.floor(Math.random() * (tableRows - 1000));
          await client.query({ name: 'call', text: call, values: [id] });
        }
        return count;
      }),
    );
    return { tool: 'node', perSecond: counts.reduce((sum, count) => sum + count, 0) / seconds };
  } finally {
    await Promise.all(connections.map((client) => client.end()));
  }
}

/** libpq decodes no + in a URL. */
function withSettings(url: string, settings: Repeated['settings']): string {
  const options = Object.entries(settings).map(([name, value]) => `-c ${name}=${value}`);
  return options.length === 0 ? url : `${url}?options=${encodeURIComponent(options.join(' '))}`;
}

type Place = { readonly folders: string; readonly data: string | null; readonly port: string };

/** Relative folders are the data directory's, which not everybody is told. */
const PLACE = `select current_setting('unix_socket_directories') as folders, current_setting('port') as port,
  (select s.setting from pg_settings s where s.name = 'data_directory') as data`;

/**
 * The address of a database by the socket of its server, as libpq goes on one machine unless told otherwise; as it is where
 * there is none here. TCP takes 7 % of the CPU time of a call. `asking`: who may see the settings.
 */
async function socketUrl(url: string, asking = url): Promise<string> {
  const place = await placeOf(asking);
  for (const folder of place?.folders.split(',') ?? []) {
    const path = resolve(place?.data ?? '/', folder.trim());
    const there = await stat(`${path}/.s.PGSQL.${place?.port}`).catch(() => undefined);
    if (there?.isSocket() === true) return withHost(url, `${encodeURIComponent(path)}:${place?.port}`);
  }
  return url;
}

async function placeOf(url: string): Promise<Place | undefined> {
  const client = await connect({ url, applicationName: 'pgscore bench' });
  try {
    return (await client.query<Place>(PLACE)).rows[0];
  } finally {
    await client.end();
  }
}

/** URL refuses a % in a host, which is how libpq takes a folder for one. */
function withHost(url: string, host: string): string {
  const { host: before } = new URL(url);
  return url.replace(`@${before}`, `@${host}`);
}

/**
 * What score() cannot be faster than: the same request for a row by dblink in plain SQL, without a function of pgscore
 * around it and without a log. Only a superuser may.
 */
export const BARE: Repeated = {
  settings: { 'pgscore.execution': 'online' },
  call: `select case when 'pgscore' = any (pgscore_dblink.dblink_get_connections()) then pgscore_bench.bare(row_to_json(t)::text)
                else pgscore.score('trees', t)::text end
           from pgscore_bench.loose t where t.id = $1`,
};

/** Creates what BARE calls. PostgreSQL puts its body into the query. */
export async function makeBareExchange(owner: pg.Client): Promise<void> {
  const create = `do $do$
  begin
    execute format('create function pgscore_bench.bare(given text) returns text language sql volatile as %L',
      format('select pgscore_dblink.dblink_exec(''pgscore'', %L || given)',
        format(E'score {"version":%s,"reply":"score","role":%s}\\n',
          (select v.version_id from pgscore_data.version v join pgscore_data.model m using (model_id) where m.name = 'trees'),
          to_json(current_user::text))));
  end $do$`;
  await owner.query(create);
}
