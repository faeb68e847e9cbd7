import type { Client } from 'pg';

import { addMonitoredModel, addRun, addVersion, type MonitoredModel } from '../monitor/monitored-model.ts';
import { seeded, type Random } from '../monitor/intervals/draws.ts';
import { cloneDatabase } from '../support/database.ts';

export type Result = Record<string, number | string | boolean | null>;
export type Staged = { champion: MonitoredModel; arm: MonitoredModel };
export type Said = { id: number; score: number; truth: boolean };

type GateVerdict = {
  gate: string;
  passed: boolean;
  low: number | null;
  high: number | null;
  needs: string;
  reason: string;
};

export const ids = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, n) => from + n);

/** What a version says that is right so often. */
export function say(of: readonly number[], right: number, random: Random): Said[] {
  return of.map((id) => {
    const truth = random() < 0.5;
    const sure = 0.55 + 0.4 * random();
    return { id, truth, score: random() < right === truth ? sure : 1 - sure };
  });
}

/** A database for models in experiments that began ten days ago; to be called at the top of a test file. */
export async function stagedExperiments() {
  const database = await cloneDatabase();
  const [superuser, ada] = await Promise.all([database.client(), database.client('ada')]);
  return { database, superuser, ada, staged: new StagedExperiments(superuser, ada) };
}

class StagedExperiments {
  readonly #superuser: Client;
  readonly #ada: Client;

  constructor(superuser: Client, ada: Client) {
    this.#superuser = superuser;
    this.#ada = ada;
  }

  /** A model with a champion and an arm, in an experiment that began ten days ago. */
  async stage(name: string, weight: number, kind: 'canary' | 'shadow' = 'canary'): Promise<Staged> {
    const champion = await addMonitoredModel(this.#superuser, name, 'binary');
    const arm = await addVersion(this.#superuser, champion, 2);
    await this.#superuser.query('select pgscore_data._set_alias($1, $2)', [champion.versionId, 'champion']);
    await this.#ada.query(`select pgscore.start_experiment($1, kind => $2, arms => $3, split_by => $4)`, [
      name,
      kind,
      { [`${name}@2`]: weight },
      kind === 'shadow' ? null : ['id'],
    ]);
    await this.#superuser.query(
      `with started as (
         update pgscore_data.experiment set started_at = started_at - interval '10 days' where model_id = $1 returning experiment_id
       )
       update pgscore_data.experiment_stage s set since = s.since - interval '10 days' from started d where s.experiment_id = d.experiment_id`,
      [champion.modelId],
    );
    return { champion, arm };
  }

  /** The entities of 1 to `entities` that are in the arm, by what the experiment says now. */
  async inArm(name: string, entities: number): Promise<Set<number>> {
    const text = `select n as id from generate_series(1, $2) n where pgscore.arm($1, n::bigint) = $1 || '@2'`;
    const { rows } = await this.#superuser.query<{ id: number }>(text, [name, entities]);
    return new Set(rows.map(({ id }) => id));
  }

  /** A run so many days ago, by default at noon. */
  async score(version: MonitoredModel, ago: number, said: readonly Said[], hour = 12): Promise<void> {
    const { rows } = await this.#superuser.query<{ at: string }>(
      `select (date_trunc('day', now(), 'UTC') - make_interval(days => $1) + make_interval(hours => $2))::text as at`,
      [ago, hour],
    );
    const at = rows[0]?.at ?? '';
    const predictions = said.map(({ id, score: p }) => ({ id, at, score: p, label: p >= 0.5 ? 'yes' : 'no' }));
    const run = await addRun(this.#superuser, version, predictions);
    await this.#superuser.query('update pgscore_data.run set snapshot_at = $2 where run_id = $1', [run, at]);
  }

  /** The labels of what was said so many days ago, by default at one o'clock. */
  async label(name: string, ago: number, said: readonly Said[], hour = 13): Promise<void> {
    await this.#superuser.query(
      `select pgscore.record_label($1, id, case when truth then 'yes' else 'no' end,
                                   date_trunc('day', now(), 'UTC') - make_interval(days => $2) + make_interval(hours => $5))
         from unnest($3::text[], $4::boolean[]) x (id, truth)`,
      [name, ago, said.map(({ id }) => String(id)), said.map(({ truth }) => truth), hour],
    );
  }

  /** What `experiment_results` says, by version and metric. */
  async results(name: string): Promise<Record<string, Result>> {
    await this.#superuser.query('select pgscore.refresh()');
    const { rows } = await this.#superuser.query<Result & { metric: string; model_version: string }>(
      `select *, n::int, entities::int, (now() at time zone 'UTC')::date - last_date as age
         from pgscore_bi.experiment_results where model_name = $1`,
      [name],
    );
    return Object.fromEntries(rows.map((row) => [`${row.model_version} ${row.metric}`, row]));
  }

  /** Has one of both versions score each of so many entities three days ago; the arm is right so often. */
  async scoreSplit(name: string, versions: Staged, entities: number, right: number): Promise<void> {
    const random = seeded(7);
    const arms = await this.inArm(name, entities);
    for (const isArm of [true, false]) {
      const said = say(
        ids(1, entities).filter((id) => arms.has(id) === isArm),
        isArm ? right : 0.8,
        random,
      );
      await this.score(isArm ? versions.arm : versions.champion, 3, said);
      await this.label(name, 3, said);
    }
    await this.#superuser.query('select pgscore.refresh()');
  }

  async setGate(model: string, metric: string, margin: number, minimum = 30): Promise<void> {
    const text = `select pgscore.set_gate($1, 'not_worse', metric => $2, margin => $3, minimum_labels => $4)`;
    await this.#ada.query(text, [model, metric, margin, minimum]);
  }

  /** What `check_gates()` says, by gate. */
  async checkGates(version: string): Promise<Record<string, GateVerdict>> {
    const { rows } = await this.#ada.query<GateVerdict>('select * from pgscore.check_gates($1)', [version]);
    return Object.fromEntries(rows.map((row) => [row.gate, row]));
  }
}
