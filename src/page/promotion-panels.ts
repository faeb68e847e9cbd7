import { ask, number, text, type Row } from './api.ts';
import { cardTable, numeric } from './data-table.ts';
import { el } from './dom.ts';
import { count, day, decimal, interval } from './format.ts';
import { ofVersions, type ModelContext } from './model-context.ts';
import { panel, type Panel, type PanelBody, tablePanel } from './panel.ts';
import { titleOf } from './model-metrics.ts';
import { comparisonChip } from './verdict.ts';

type Data = Readonly<Record<'rows' | 'objections', readonly Row[]>>;

/** Says the statement that promotes a version or, where it fails a gate or is worse, why not to. `objections`: rows of the question of that name. */
export function sayPromotion(body: PanelBody, version: string, statement: string, objections: readonly Row[]): void {
  const said = objections.filter((row) => text(row, 'model_version') === version).map((row) => text(row, 'said'));
  if (said.length > 0) return body.say(`Do not promote version ${version}: it ${said.join('; it ')}.`);
  body.say(`To promote version ${version}:`);
  body.add(el('pre', {}, statement));
}

const COLUMNS = ['Version', 'Gate', 'Passed', ...['Difference', 'Interval'].map(numeric), 'Reason'];

/** Whether the versions that are shown pass the gates of the model, and how they are promoted. Not shown where there are none. */
export const gatesPanel = (): Panel<ModelContext> =>
  panel<ModelContext, Data>({
    id: 'gates',
    title: 'Gates',
    about: 'what a version must pass before it is promoted',
    depends: ({ versions, champion, experiments }) => ({ versions, champion, experiments }),
    load: async (context) => {
      const asked = ofVersions(context);
      const [rows, objections] = await Promise.all([ask('gates', asked), ask('objections', asked)]);
      return rows.length === 0 ? undefined : { rows, objections };
    },
    draw: (body, { rows, objections }, { model, experiments }) => {
      const caption = 'Versions that are not the champion, gate by gate';
      body.add(cardTable({ caption, columns: COLUMNS, rows: rows.map(cellsOf) }));
      if (experiments.some(({ to }) => to === undefined))
        return body.say('While the experiment runs, promote() is refused. stop_experiment() asks the gates, too.');
      for (const version of new Set(rows.map((row) => text(row, 'model_version'))))
        sayPromotion(body, version, `select pgscore.promote('${model}@${version}');`, objections);
    },
  });

function cellsOf(row: Row): (string | Node)[] {
  const needs = text(row, 'needs');
  return [
    text(row, 'model_version'),
    text(row, 'gate'),
    passedOf(row),
    decimal(number(row, 'value')),
    interval(number(row, 'low'), number(row, 'high')),
    el('div', { class: 'wide' }, needs === '' ? text(row, 'reason') : `${text(row, 'reason')}; needs ${needs}`),
  ];
}

function passedOf(row: Row): HTMLElement {
  if (row['passed'] === true) return el('span', { class: 'chip good' }, 'passed');
  if (row['passed'] === null) return el('span', { class: 'chip plain' }, 'when promoted');
  return el('span', { class: `chip ${text(row, 'needs') === '' ? 'bad' : 'plain'}` }, 'not passed');
}

/** Whether a version is better than the champion and than the one before it. Not shown where nothing was compared. */
export const comparisonPanel = (): Panel<ModelContext> =>
  tablePanel<ModelContext>({
    id: 'comparison',
    title: 'Which version is better',
    about: 'by live predictions, over the labels that judge both; differences with 95 % intervals',
    depends: ({ versions }) => versions,
    load: async (context) => {
      const rows = await ask('comparison', ofVersions(context));
      const once = rows.filter((row, at) => rows.findIndex((other) => keyOf(other) === keyOf(row)) === at);
      return once.some((row) => number(row, 'difference') !== null) ? once : undefined;
    },
    caption: 'Versions against the champion and against the one before',
    fields: ({ task }) => [
      ['Version', (row) => text(row, 'model_version')],
      ['Against', (row) => `${text(row, 'other_version')}, the ${text(row, 'compared_with')}`],
      [
        'Metric',
        (row) => `${titleOf(task, text(row, 'metric'))}${row['target'] === null ? '' : ` of ${text(row, 'target')}`}`,
      ],
      ['Verdict', (row) => comparisonChip(text(row, 'verdict'))],
      [numeric('Difference'), (row) => decimal(number(row, 'difference'))],
      [numeric('Interval'), (row) => interval(number(row, 'ci_low'), number(row, 'ci_high'))],
      [numeric('Value'), (row) => decimal(number(row, 'value_a'))],
      [numeric('The other’s'), (row) => decimal(number(row, 'value_b'))],
      [numeric('Labels'), (row) => count(number(row, 'n_a'))],
      ['Predictions for', daysOf],
      ['Compared', (row) => day(text(row, 'compared_at'))],
    ],
  });

function daysOf(row: Row): string {
  const days = `${day(text(row, 'first_date'))} to ${day(text(row, 'last_date'))}`;
  return text(row, 'in_training').endsWith('unknown') ? `${days}, maybe training data` : days;
}

/** The champion can be the version before, too: then it is the same comparison. */
function keyOf(row: Row): string {
  return ['model_version', 'other_version', 'metric', 'target'].map((column) => text(row, column)).join(' ');
}
