import type { Address } from './address.ts';
import { ask, number, text, type Row } from './api.ts';
import { experimentsOf, type Experiment } from './experiment-bands.ts';
import { ENOUGH, taskOf, type Judged, type Task } from './model-metrics.ts';

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
  /** What the metrics are of that are shown. */
  readonly judged: Judged;
  /** The values of a row, of a model that gives several. */
  readonly targets: readonly string[];
  /** The one that is shown; undefined: the score. */
  readonly target: string | undefined;
  /** Whether a row has a score, of which all views speak. */
  readonly hasScore: boolean;
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
  if (focus === undefined || health === undefined) return undefined;
  const verdict = (await ask('verdicts')).find((row) => row['model_name'] === model);
  const task = text(verdict, 'cause') === 'no_truth' ? 'unjudged' : (taskOf(text(health, 'task')) ?? 'unjudged');
  const hasScore = task !== 'unjudged' && !['multi_target', 'multilabel'].includes(text(health, 'task'));
  const values = await ask('targets', { model, version: String(focus) });
  const targets = values.map((row) => text(row, 'target'));
  const target = chosenTarget(address, targets, hasScore, verdict);
  const isQuantile = values.some((row) => row['target'] === target && row['quantile'] !== null);
  const [months, experiments] = await Promise.all([
    monthsOf(model, task, focus, target),
    ask('experiments', { model }),
  ]);
  const month = months.find(({ date }) => date === address.month) ?? closestLook(months);
  return {
    address,
    model,
    task,
    judged: isQuantile ? 'quantile' : task,
    targets,
    target,
    hasScore,
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

/** The one that the address names, else the score, else the one that the verdict is about. */
function chosenTarget(
  { target }: Address,
  targets: readonly string[],
  hasScore: boolean,
  verdict: Row | undefined,
): string | undefined {
  const [first] = targets;
  if (target !== undefined && targets.includes(target)) return target;
  if (hasScore || first === undefined) return undefined;
  return targets.find((name) => name === text(verdict, 'target')) ?? first;
}

async function monthsOf(model: string, task: Task, version: number, target: string | undefined): Promise<Month[]> {
  if (task === 'unjudged') return [];
  const values = { model, versions: String(version), ...ofTarget({ target }) };
  const rows = await ask(`performance-${task}-month`, values);
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

/** Whether the score is shown, and not one of several values: some views are of it alone. */
export function isScore({ target, hasScore }: ModelContext): boolean {
  return hasScore && target === undefined;
}

/** Which of several values of a row is asked about. */
export function ofTarget({ target }: Pick<ModelContext, 'target'>): { target?: string } {
  return target === undefined ? {} : { target };
}

export function ofVersions({ model, versions }: ModelContext): { model: string; versions: string } {
  return { model, versions: versions.join(',') };
}

export function ofVersion({ model, focus }: ModelContext): { model: string; version: string } {
  return { model, version: String(focus) };
}
