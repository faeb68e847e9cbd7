import { afterAll } from '@jest/globals';
import type { Client } from 'pg';
import { connect } from '../../src/postgres/connect.ts';
import { createLogger } from '../../src/log.ts';
import { fireDue, type FireCounts } from '../../src/schedules/fire.ts';
import { READER_PASSWORD, SERVICE_PASSWORD } from '../support/service-passwords.ts';
import type { TestDatabase } from '../support/database.ts';

/** A service that does nothing but look for due schedules, when told. */
export type Looker = {
  look(openReader?: () => Promise<Client>): Promise<FireCounts>;
  openReader(): Promise<Client>;
};

const log = createLogger('silent', false);

export async function startLooker(database: TestDatabase): Promise<Looker> {
  const url = database.url({ user: 'pgscore_service', password: SERVICE_PASSWORD });
  const service = await connect({ url, applicationName: 'pgscore schedule' });
  afterAll(() => service.end());
  const openReader = (): Promise<Client> => {
    const readerUrl = database.url({ user: 'pgscore_reader', password: READER_PASSWORD });
    return connect({ url: readerUrl, applicationName: 'pgscore fire' });
  };
  return { openReader, look: (open = openReader) => fireDue({ service, openReader: open, log }) };
}

/** Lets a yearly schedule look back on so many fires. */
export async function setBack(superuser: Client, schedule: string, fires: number): Promise<void> {
  await superuser.query(
    `update pgscore_data.schedule set next_fire_at = null,
            decided_until = date_trunc('year', clock_timestamp() at time zone 'UTC') at time zone 'UTC' - interval '1 second' - ($2 - 1) * interval '1 year'
      where name = $1`,
    [schedule, fires],
  );
}

export type HistoryRow = { fire_at: Date; outcome: string; run: string | null; error: string | null };

/** What became of the fires of a schedule, as its owner sees it, oldest first. */
export async function history(owner: Client, schedule: string): Promise<HistoryRow[]> {
  const { rows } = await owner.query<HistoryRow>(
    'select fire_at, outcome, run, error from pgscore.schedule_history where name = $1 order by fire_at',
    [schedule],
  );
  return rows;
}

export async function outcomes(owner: Client, schedule: string): Promise<string[]> {
  return (await history(owner, schedule)).map((row) => row.outcome);
}

/** The runs that a schedule has submitted, as its owner sees them. */
export async function runsOf(owner: Client, schedule: string): Promise<{ run: string; requested_by: string }[]> {
  const { rows } = await owner.query<{ run: string; requested_by: string }>(
    'select run, requested_by from pgscore.runs where schedule = $1 order by run',
    [schedule],
  );
  return rows;
}
