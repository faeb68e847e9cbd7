import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import type { Requirement } from './figures.ts';
import { backendOf, cpuSecondsOf, cpuSecondsOfTree, settled } from './processes.ts';
import type { ServiceProcess } from './stage.ts';

/** What a service takes that has nothing to do, as shares of a core. */
export type Idle = {
  readonly seconds: number;
  readonly service: number;
  /** The server's processes for its sessions; null where they are not on this machine. */
  readonly sessions: number | null;
};

/** What was scored is counted, kept and judged in the seconds after it. */
const AFTERMATH_MS = 10_000;

const SESSIONS = `select pid from pg_stat_activity
  where datname = current_database() and application_name like 'pgscore %' and pid <> pg_backend_pid()`;

export async function measureIdle(owner: pg.Client, { pid }: ServiceProcess, seconds: number): Promise<Idle> {
  await settled(owner);
  await sleep(AFTERMATH_MS);
  const isHere = (await backendOf(owner)) !== undefined;
  const { rows } = await owner.query<{ pid: number }>(SESSIONS);
  const ofSessions = (): number => rows.reduce((sum, session) => sum + (cpuSecondsOf(session.pid) ?? 0), 0);
  const [service, sessions] = [cpuSecondsOfTree(pid), ofSessions()];
  await sleep(seconds * 1000);
  return {
    seconds,
    service: (cpuSecondsOfTree(pid) - service) / seconds,
    sessions: isHere ? (ofSessions() - sessions) / seconds : null,
  };
}

export function idleRequirements({ service, sessions }: Idle): Requirement[] {
  return [
    {
      what: 'a service that has nothing to do takes under 1 % of a core',
      measured: `${(100 * service).toFixed(2)} %`,
      met: service < 0.01,
    },
    {
      what: 'and its sessions in the server under 0.5 %',
      measured: sessions === null ? 'not measured' : `${(100 * sessions).toFixed(2)} %`,
      met: sessions === null ? null : sessions < 0.005,
    },
  ];
}
