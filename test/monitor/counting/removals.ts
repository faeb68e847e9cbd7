import type { ModelHistory } from './model-history.ts';
import { DAY_MS, type Prediction } from './record.ts';
import type { SlowRecord } from './slow-record.ts';

type History = ModelHistory<SlowRecord>;

async function timeOf({ roles, model }: History, column: 'sealed_before' | 'superseded_before'): Promise<number> {
  const read = `select extract(epoch from nullif(x.${column}, '-infinity'))::float8 * 1000 as at from pgscore_data.monitor x join pgscore_data.model m using (model_id) where m.name = $1`;
  const { rows } = await roles.superuser.query<{ at: number | null }>(read, [model.name]);
  return rows[0]?.at ?? Number.NEGATIVE_INFINITY;
}

export async function refreshed(history: History): Promise<void> {
  await history.roles.superuser.query('select pgscore.refresh()');
  history.record.refreshed(history.settings, Date.now());
}

async function setDays({ roles, model }: History, setting: 'keep' | 'late', days: number): Promise<void> {
  const change = `select pgscore.monitor($1, ${setting} => make_interval(days => $2))`;
  await roles.ada.query(change, [model.name, days]);
}

/** Seals the days before the last so many, as far as they were predicted for. */
export async function seal(history: History, days: number): Promise<void> {
  await refreshed(history);
  await setDays(history, 'keep', days);
  await history.roles.superuser.query('select pgscore_data._delete_predictions()');
  const before = await timeOf(history, 'sealed_before');
  if (before > Date.now() - days * DAY_MS && before > history.record.sealedBefore)
    throw new Error(`sealed before ${new Date(before).toISOString()}`);
  if (before > history.record.sealedBefore) {
    history.sealedBefore = before;
    history.record.seal(before, history.settings, Date.now());
  }
  if (history.record.letGo !== undefined) await released(history);
}

async function released(history: History): Promise<void> {
  const before = await timeOf(history, 'superseded_before');
  if (before > (history.record.letGo?.before ?? Number.NEGATIVE_INFINITY))
    history.record.release(before, history.settings, Date.now());
}

/** Lets go of superseded predictions, and of later ones at each seal. */
export async function letGo(history: History, days: number): Promise<void> {
  if (history.settings.pairing !== 'latest_before_label' || history.settings.labelDelay > DAY_MS) return;
  await refreshed(history);
  await setDays(history, 'late', days);
  history.record.letGo ??= { before: Number.NEGATIVE_INFINITY, pairs: new Set() };
  await seal(history, 400);
}

/** Whether a prediction is kept: those that repeat another are not. */
async function keptOf({ roles, model }: History): Promise<(prediction: Prediction) => boolean> {
  const read = `select v.number as version, x.key[1] as entity, x.at, x.made
    from (select p.version_id, p.key, (extract(epoch from p.event_time) * 1000)::float8 as at, (extract(epoch from p.made_at) * 1000)::float8 as made from pgscore_data.kept_prediction p
          union all
          select r.version_id, u.key, (extract(epoch from r.event_time) * 1000)::float8, (extract(epoch from r.event_time) * 1000)::float8 from pgscore_data.kept_run r cross join lateral pgscore_data._block_rows(r.run_id) u) x
    join pgscore_data.version v using (version_id) join pgscore_data.model m using (model_id) where m.name = $1`;
  const { rows } = await roles.superuser.query<{ version: number; entity: string; at: number; made: number }>(read, [
    model.name,
  ]);
  const kept = new Set(
    rows.map(({ version, entity, at, made }) => `${version} ${entity} ${Math.round(at)} ${Math.round(made)}`),
  );
  return ({ version, entity, at, made }) => kept.has(`${version} ${entity} ${at} ${made}`);
}

/** Not where superseded predictions were let go: blocks keep some of them longer, and only what is kept is taken out. */
export async function forgetEntity(history: History, id: number): Promise<void> {
  if (history.record.letGo !== undefined) return;
  await refreshed(history);
  const isKept = await keptOf(history);
  await history.roles.ada.query(`select pgscore.forget($1, key => $2::text)`, [history.model.name, String(id)]);
  history.record.forget(({ entity }) => entity === String(id), isKept);
}

export async function forgetRun(history: History, nth: number): Promise<void> {
  if (history.record.letGo !== undefined) return;
  const runs = [...new Set(history.record.predictions.flatMap(({ run }) => (run === undefined ? [] : [run])))];
  const run = runs[nth % Math.max(1, runs.length)];
  if (run === undefined) return;
  await refreshed(history);
  const isKept = await keptOf(history);
  await history.roles.ada.query(`select pgscore.forget($1, run => $2)`, [history.model.name, run]);
  history.record.forget((of) => of.run === run, isKept);
}

/** Takes all labels back and sets them again: those that the table holds by now. */
export async function relabel(history: History): Promise<void> {
  const { roles, model, table, record } = history;
  await roles.alice.query('select pgscore.unset_labels($1)', [model.name]);
  record.unset();
  const take = `delete from ${table} returning id, known_at, truth`;
  const { rows } = await roles.alice.query<{ id: number; known_at: Date; truth: string }>(take);
  await setLabels(history);
  await history.tell(rows.map(({ id, known_at, truth }) => ({ id, knownAt: known_at.getTime(), truth })));
}

export async function setLabels({ roles, model, table }: Pick<History, 'roles' | 'model' | 'table'>): Promise<void> {
  await roles.alice.query(
    `select pgscore.set_labels($1, $2::regclass, label => 'truth', key => 'id', known_at => 'known_at')`,
    [model.name, table],
  );
  await roles.superuser.query(
    `update pgscore_data.label_source set compared_at = clock_timestamp(), set_at = clock_timestamp() - interval '100 days' where source_name = $1`,
    [table],
  );
  await roles.superuser.query(
    `delete from pgscore_data.comparison_request q using pgscore_data.label_source s where s.source_id = q.source_id and s.source_name = $1`,
    [table],
  );
}

/** Drops version 2, of which nothing is scored any more. */
export async function dropNewest(history: History): Promise<void> {
  await refreshed(history);
  const { roles, model } = history;
  const { rows } = await roles.superuser.query(
    `select from pgscore_data.version v join pgscore_data.model m using (model_id) where m.name = $1 and v.number = 2 and v.state = 'ready'`,
    [model.name],
  );
  if (rows.length === 0) return;
  history.isDropped = true;
  await roles.ada.query('select pgscore.drop_version($1)', [`${model.name}@2`]);
}
