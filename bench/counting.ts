import type pg from 'pg';
import { MODEL, scoreTable } from './run.ts';
import { spreadOf, type Spread } from './spread.ts';

/** The share of a run's time that counting its features takes: runs with and without in turns. */
export async function measureCounting(client: pg.Client, source: string, rounds: number): Promise<Spread> {
  const shares: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const without = await timed(client, source, false);
    const counted = await timed(client, source, true);
    shares.push(1 - without / counted);
  }
  return spreadOf(shares);
}

async function timed(client: pg.Client, source: string, watched: boolean): Promise<number> {
  await client.query('select pgscore.monitor_features($1, watched => $2)', [MODEL, watched]);
  return (await scoreTable(client, source)).seconds;
}
