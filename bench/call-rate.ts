import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { connect } from '../src/db/connect.ts';
import type { ScorePlan } from './plan.ts';
import { socketUrl } from './socket-url.ts';

const run = promisify(execFile);

/** A statement that many clients repeat; `$1` is a key at random. */
export type Repeated = { readonly settings: Readonly<Record<string, string>>; readonly call: string };

export type CallRate = { readonly tool: 'pgbench' | 'node'; readonly perSecond: number };

/**
 * How often so many clients get a statement answered: by pgbench where it is on the path, else from this process, which takes
 * CPU time of its own. `ownerUrl`: the same database as one who may see the server's settings.
 */
export async function measureCallRate(
  url: string,
  repeated: Repeated,
  plan: ScorePlan,
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
  { clients, seconds, tableRows }: ScorePlan,
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
  { clients, seconds, tableRows }: ScorePlan,
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
