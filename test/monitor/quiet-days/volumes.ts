import type { Client } from 'pg';

import { addMonitoredModel } from '../monitored-model.ts';
import { Random } from '../slow-drops/random.ts';

/** A Monday, so long ago that preview_monitor(), which looks no further than now, sees all of it. */
const FIRST = Date.UTC(2024, 0, 1);

export const at = (day: number, hours = 0): string =>
  new Date(FIRST + day * 86_400_000 + hours * 3_600_000).toISOString();

/** How many rows are scored on a day; 0: none. */
export type Volume = (random: Random, day: number) => number;

/** How many events come where so many are expected. */
function poisson(random: Random, mean: number): number {
  if (mean > 200) return Math.max(0, Math.round(mean + Math.sqrt(mean) * random.normal()));
  let n = 0;
  for (let left = 1 - random.uniform(); left > Math.exp(-mean); left *= 1 - random.uniform()) n += 1;
  return n;
}

/** Days that differ by so much beside chance, with weekends of their own size. */
export function volume(mean: number, spread = 0, weekend = 1): Volume {
  return (random, day) =>
    poisson(random, mean * (day % 7 >= 5 ? weekend : 1) * Math.exp(spread * random.normal() - spread ** 2 / 2));
}

/** A binary classifier with so many rows a day, of which some fail and some have no probability. */
export async function addVolumes(
  superuser: Client,
  name: string,
  seed: number,
  { days, rows, failing = 0 }: { days: number; rows: Volume; failing?: number },
): Promise<void> {
  const { versionId } = await addMonitoredModel(superuser, name, 'binary');
  const random = new Random(seed);
  const cells = Array.from({ length: days }, (_, day) => {
    const n = rows(random, day);
    const failed = random.hits(n, failing);
    return [at(day), n - failed, failed];
  });
  await superuser.query(
    `insert into pgscore_data.cell_volume (version_id, day, n_predictions, n_failed, n_scored)
     select $1, (c ->> 0)::timestamptz, (c ->> 1)::int, (c ->> 2)::int, (c ->> 1)::int
       from jsonb_array_elements($2::jsonb) c where (c ->> 1)::int > 0`,
    [versionId, JSON.stringify(cells)],
  );
}

/** A model that is scored, and gets labels, on some days. */
export async function addFeed(
  superuser: Client,
  name: string,
  seed: number,
  { days, comes }: { days: number; comes: (random: Random, day: number) => boolean },
): Promise<void> {
  const { modelId } = await addMonitoredModel(superuser, name, 'binary');
  const random = new Random(seed);
  const times = Array.from({ length: days }, (_, day) => day)
    .filter((day) => comes(random, day))
    .map((day) => [at(day), at(day, 1 + 3 * random.uniform())]);
  await superuser.query(
    `insert into pgscore_data.feed_day (model_id, feed, day, last_at)
     select $1, f, (c ->> 0)::timestamptz, (c ->> 1)::timestamptz
       from jsonb_array_elements($2::jsonb) c cross join (values ('scoring'), ('labels')) x (f)`,
    [modelId, JSON.stringify(times)],
  );
}
