import type { Client } from 'pg';

import { addMonitoredModel, addRun, addVersion, type MonitoredPrediction } from '../../monitor/monitored-model.ts';

const DAY_MS = 86_400_000;
const FROM = Date.UTC(2026, 0, 1, 9);
const DAYS = 89;
const A_DAY = 8;

/** Of all but 0, one is a hundredth exactly, as the thresholds of the page are. */
function scoreOf(id: number): number {
  const nth = ((id - 1) * 37) % 97;
  return nth === 60 ? 0.62 : nth / 97;
}

/** Three months of predictions, eight a day, none of them random. */
function predictions(more: (id: number) => Partial<MonitoredPrediction>): MonitoredPrediction[] {
  return Array.from({ length: DAYS * A_DAY }, (_, at) => {
    const day = Math.floor(at / A_DAY);
    return { id: at + 1, at: new Date(FROM + day * DAY_MS).toISOString(), score: scoreOf(at + 1), ...more(at + 1) };
  });
}

/** A regression of two versions. */
async function addTwoVersions(superuser: Client, name: string): Promise<void> {
  const first = await addMonitoredModel(superuser, name, 'regression');
  await addRun(
    superuser,
    first,
    predictions((id) => ({ score: 100 + (id % 50) })),
  );
  const second = await addVersion(superuser, first, 2);
  await addRun(
    superuser,
    second,
    predictions((id) => ({ score: 105 + (id % 45) })),
  );
  await label(superuser, name, `(100 + id % 50 + (id % 7) * (id / 200.0))::text`, 'true');
}

/** A classifier whose truth of March is half known, two regressions, and one of three classes; all with labels. */
export async function addWatchedModels(superuser: Client): Promise<void> {
  const churn = await addMonitoredModel(superuser, 'churn', 'binary');
  await addRun(
    superuser,
    churn,
    predictions((id) => ({ label: scoreOf(id) >= 0.5 ? 'yes' : 'no' })),
  );
  await label(
    superuser,
    'churn',
    `case when (id * 53) % 97 < ((id - 1) * 37) % 97 then 'yes' else 'no' end`,
    'id <= 480 or id % 2 = 0',
  );
  for (const name of ['price', 'fare']) await addTwoVersions(superuser, name);
  const animal = await addMonitoredModel(superuser, 'animal', 'multiclass');
  const probabilities = [0.5, 0.3, 0.2];
  await addRun(
    superuser,
    animal,
    predictions((id) => ({ probabilities, label: 'abc'[id % 3] ?? 'a' })),
  );
  await label(superuser, 'animal', `(array['a', 'b', 'c'])[1 + (id + (id % 5 = 0)::int) % 3]`, 'true');
}

async function label(superuser: Client, model: string, truth: string, known: string): Promise<void> {
  const text = `select pgscore.record_label($1, id::text, ${truth}, '2026-01-01 09:00+00'::timestamptz + ((id - 1) / ${A_DAY} + 2) * interval '1 day')
    from generate_series(1, ${DAYS * A_DAY}) id where ${known}`;
  await superuser.query(text, [model]);
}
