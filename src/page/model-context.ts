import type { Address } from './address.ts';
import { ask, number, text, type Row } from './api.ts';
import { experimentsOf, type Experiment } from './experiments.ts';
import { ENOUGH, taskOf, type Task } from './metrics.ts';

export type Month = {
  readonly date: string;
  readonly labelled: number;
  readonly mature: boolean;
  /** Later predictions stand in the place of all that have no label: none is missing. */
  readonly superseded: boolean;
};

/** What every panel of a model's page stands on. */
export type ModelContext = {
  readonly address: Address;
  readonly model: string;
  readonly task: Task;
  /** All versions that are ready, the newest first. */
  readonly known: readonly number[];
  readonly champion: number | undefined;
  /** Those that are shown; the first is looked at closely. */
  readonly versions: readonly number[];
  readonly focus: number;
  readonly months: readonly Month[];
  /** First day of the month that is looked at closely; undefined where the version has predicted nothing yet. */
  readonly month: string | undefined;
  readonly health: Row;
  /** The newest first. */
  readonly experiments: readonly Experiment[];
};

const SHOWN_AT_FIRST = 3;

/** undefined: there is no such model, or none of its versions is ready. */
export async function contextOf(address: Address): Promise<ModelContext | undefined> {
  const { model } = address;
  if (model === undefined) return undefined;
  const rows = (await ask('health')).filter((row) => row['model_name'] === model);
  const known = rows.map((row) => number(row, 'model_version') ?? 0);
  const champion = number(
    rows.find((row) => row['is_champion'] === true),
    'model_version',
  );
  const asked = address.versions.filter((version) => known.includes(version));
  const versions = asked.length > 0 ? asked : shownAtFirst(known, champion);
  const [focus] = versions;
  const health = rows.find((row) => row['model_version'] === focus);
  const task = taskOf(text(health, 'task'));
  if (focus === undefined || health === undefined || task === undefined) return undefined;
  const [months, experiments] = await Promise.all([monthsOf(model, task, focus), ask('experiments', { model })]);
  const month = months.find(({ date }) => date === address.month) ?? closestLook(months);
  return {
    address,
    model,
    task,
    known,
    champion: champion ?? undefined,
    versions,
    focus,
    months,
    month: month?.date,
    health,
    experiments: experimentsOf(experiments),
  };
}

function shownAtFirst(known: readonly number[], champion: number | null): number[] {
  const first = champion === null ? [] : [champion];
  return [...first, ...known.filter((version) => version !== champion)].slice(0, SHOWN_AT_FIRST);
}

async function monthsOf(model: string, task: Task, version: number): Promise<Month[]> {
  const rows = await ask(`performance-${task}-month`, { model, versions: String(version) });
  return rows.map((row) => ({
    date: text(row, 'window_date'),
    labelled: number(row, 'n_labeled') ?? 0,
    mature: row['is_mature'] === true,
    superseded: number(row, 'label_coverage') === null,
  }));
}

/** The newest month whose labels are there, enough to say something, else the newest with any, else the newest. */
function closestLook(months: readonly Month[]): Month | undefined {
  return (
    months.findLast(({ mature, labelled }) => mature && labelled >= ENOUGH) ??
    months.findLast(({ labelled }) => labelled > 0) ??
    months.at(-1)
  );
}

/** The values that questions about one version's month are asked with; undefined where there is no month. */
export function ofMonth({
  model,
  focus,
  month,
}: ModelContext): { model: string; version: string; month: string } | undefined {
  return month === undefined ? undefined : { model, version: String(focus), month };
}

export function ofVersions({ model, versions }: ModelContext): { model: string; versions: string } {
  return { model, versions: versions.join(',') };
}

export function ofVersion({ model, focus }: ModelContext): { model: string; version: string } {
  return { model, version: String(focus) };
}
