import { expect } from '@jest/globals';
import type { Client } from 'pg';

import { addBlocks, addCalls } from '../add-calls.ts';
import type { MonitoredModel } from '../monitored-model.ts';
import { addFinishedRun, type FinishedRun } from './finished-runs.ts';
import { type Grain, windowOf } from './local-windows.ts';
import { DEFAULTS, type Settings } from './record.ts';
import { expectedOf, seenIn, type Windows } from './seen.ts';
import type { RecordKeeper } from './slow-record.ts';
import { said, withNewTarget, type Watched } from './watched.ts';

export type Roles = { readonly superuser: Client; readonly alice: Client; readonly ada: Client };

export type Made = {
  readonly model: Watched;
  /** Numbered from 1; the first is champion. */
  readonly versions: readonly MonitoredModel[];
  readonly timeZone?: string;
};

export type Told = { readonly id: number; readonly knownAt: number; readonly truth: string | null };

type Call = { readonly id: number; readonly at: number; readonly asked?: number; readonly given: number };

// Once: a global takes a hundred times as long in Jest's sandbox.
const { isNaN } = Number;
const INTERVALS = { horizon: 'horizon', labelDelay: 'label_delay' } as const;

/** A model in a database, beside the raw record of all that was done to it. */
export class ModelHistory<Keeper extends RecordKeeper> {
  readonly #roles: Roles;
  readonly #table: string;
  readonly #versions: readonly MonitoredModel[];
  #model: Watched;
  #settings: Settings;
  readonly record: Keeper;
  /** Whether version 2 was dropped; then version 1 takes its place. */
  isDropped = false;
  sealedBefore: number | undefined;

  private constructor(roles: Roles, { model, versions, timeZone = 'UTC' }: Made, table: string, record: Keeper) {
    this.#roles = roles;
    this.#model = model;
    this.#versions = versions;
    this.#table = table;
    this.#settings = { ...DEFAULTS, timeZone };
    this.record = record;
  }

  /** Takes its labels from a table of alice's. */
  static async of<Keeper extends RecordKeeper>(
    roles: Roles,
    made: Made,
    record: Keeper,
  ): Promise<ModelHistory<Keeper>> {
    const { name } = made.model;
    const table = `truth_of_${name}`;
    const create = `create table ${table} (id int, known_at timestamptz, truth text, primary key (id, known_at))`;
    await roles.alice.query(create);
    await roles.alice.query(
      `select pgscore.set_labels($1, $2::regclass, label => 'truth', key => 'id', known_at => 'known_at')`,
      [name, table],
    );
    // As a service would have found it: empty. Versions are not compared before.
    await roles.superuser.query(
      `update pgscore_data.label_source set compared_at = clock_timestamp() where source_name = $1`,
      [table],
    );
    await roles.ada.query('select pgscore.monitor($1, time_zone => $2)', [name, made.timeZone ?? 'UTC']);
    return new ModelHistory(roles, made, table, record);
  }

  get roles(): Roles {
    return this.#roles;
  }

  get table(): string {
    return this.#table;
  }

  get model(): Watched {
    return this.#model;
  }

  get settings(): Settings {
    return this.#settings;
  }

  async run(of: number, run: FinishedRun): Promise<string> {
    const version = this.isDropped ? 1 : of;
    const runId = await addFinishedRun(this.#roles.superuser, this.#of(version), run);
    const columns = Object.entries(run.segments ?? {});
    for (const [row, given] of Array.from(run.given).entries()) {
      if (isNaN(given)) continue;
      this.record.add({
        version,
        entity: `${run.ids[row]}`,
        at: run.times?.[row] ?? run.snapshotAt,
        made: run.snapshotAt,
        run: runId,
        ...answerOf(said(this.#model.task, given)),
        ...(columns.length === 0
          ? {}
          : { segments: Object.fromEntries(columns.map(([column, values]) => [column, values[row] ?? null])) }),
      });
    }
    return runId;
  }

  async calls(of: number, calls: readonly Call[], kept: 'singly' | 'in blocks'): Promise<void> {
    const version = this.isDropped ? 1 : of;
    const { task } = this.#model;
    const answers = calls.map(({ id, at, asked, given }) => {
      const { score, label, probabilities } = said(task, given);
      return {
        id,
        at: new Date(at).toISOString(),
        ...(asked === undefined ? {} : { asked: new Date(asked).toISOString() }),
        score,
        ...(label === null ? {} : { label }),
        ...(probabilities === null ? {} : { probabilities: [...probabilities] }),
      };
    });
    await (kept === 'singly' ? addCalls : addBlocks)(this.#roles.superuser, this.#of(version), answers);
    for (const { id, at, asked, given } of calls) {
      this.record.add({ version, entity: String(id), at, made: asked ?? at, ...answerOf(said(task, given)) });
    }
  }

  /** Truths, corrections of some, or where `truth` is null withdrawals. No two are of one entity and time. */
  async tell(told: readonly Told[]): Promise<void> {
    const [said, withdrawn] = [told.filter(({ truth }) => truth !== null), told.filter(({ truth }) => truth === null)];
    const write = `insert into ${this.#table} select * from unnest($1::int[], $2::timestamptz[], $3::text[]) on conflict (id, known_at) do update set truth = excluded.truth`;
    const withdraw = `delete from ${this.#table} where (id, known_at) in (select * from unnest($1::int[], $2::timestamptz[]))`;
    if (said.length > 0) await this.#roles.alice.query(write, [...placesOf(said), said.map(({ truth }) => truth)]);
    if (withdrawn.length > 0) await this.#roles.alice.query(withdraw, placesOf(withdrawn));
    for (const { id, knownAt, truth } of told)
      this.record.tell({ entity: String(id), knownAt, told: Date.now(), truth });
  }

  async set(changes: Partial<Omit<Settings, 'timeZone'>>): Promise<void> {
    const { pairing, minLabelCoverage } = changes;
    const seconds = (name: keyof typeof INTERVALS): number | null =>
      changes[name] === undefined ? null : changes[name] / 1000;
    await this.#roles.ada.query(
      `select pgscore.monitor($1, pairing => $2, min_label_coverage => $3, horizon => make_interval(secs => $4), label_delay => make_interval(secs => $5))`,
      [this.#model.name, pairing ?? null, minLabelCoverage ?? null, seconds('horizon'), seconds('labelDelay')],
    );
    this.#settings = { ...this.#settings, ...changes };
  }

  async rebuild(): Promise<void> {
    await this.#roles.ada.query('select pgscore.rebuild($1)', [this.#model.name]);
  }

  async dropTarget(): Promise<void> {
    await this.#roles.superuser.query('select pgscore.refresh()');
    await this.#roles.alice.query(`select pgscore.drop_target($1, 'alice')`, [this.#model.target]);
    this.#model = await withNewTarget(this.#roles.superuser, this.#model);
  }

  /** Drops every generation that is not the latest, as a sweep does when they are many. */
  async sweep(): Promise<void> {
    await this.#roles.superuser.query(
      `select pgscore_data._drop_generation(g.target_id, g.generation)
         from pgscore_data.generation g join pgscore_data.target t using (target_id)
        where t.target_id = $1 and g.generation > 1 and g.generation <> t.current_generation`,
      [this.#model.targetId],
    );
  }

  /** After a refresh every number of every performance view is what the reference counts. */
  async expectCounted(): Promise<void> {
    await this.#roles.superuser.query('select pgscore.refresh()');
    for (const [grain, counted] of this.record.count(this.#settings, Date.now())) {
      const seen = await seenIn(this.#roles.superuser, this.#model, grain);
      expect([grain, this.#masked(seen, grain)]).toEqual([
        grain,
        this.#masked(expectedOf(this.#model.task, counted), grain),
      ]);
    }
  }

  /** Repeats of an entity in a window that is sealed in part are counted among the days that are not. */
  #masked(windows: Windows, grain: Grain): Windows {
    const before = this.sealedBefore;
    if (grain === 'day' || before === undefined) return windows;
    const first = windowOf(before - 1, grain, this.#settings.timeZone);
    return Object.fromEntries(
      Object.entries(windows).map(([key, numbers]) => [
        key,
        key.includes(` ${first}`) ? { ...numbers, n_effective: null } : numbers,
      ]),
    );
  }

  #of(version: number): Watched {
    const known = this.#versions[version - 1];
    if (known === undefined) throw new Error(`version ${version} was not made`);
    return { ...this.#model, versionId: known.versionId };
  }
}

function answerOf({ score, label }: { readonly score: number; readonly label: string | null }) {
  return { score, label };
}

function placesOf(told: readonly Told[]): [ids: number[], times: string[]] {
  return [told.map(({ id }) => id), told.map(({ knownAt }) => new Date(knownAt).toISOString())];
}
