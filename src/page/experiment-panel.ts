import { ask, number, text, type Row } from './api.ts';
import { cardTable, numeric, tableOf, type Field } from './data-table.ts';
import { el } from './dom.ts';
import { count, day, decimal, moment, percent } from './format.ts';
import { swatch, colour, colourOf } from './theme.ts';
import { judgedMetric, titleOf, write, type Metric, type Task } from './metrics.ts';
import type { ModelContext } from './model-context.ts';
import { type PanelBody, panel, type Panel } from './panel.ts';
import { timePlot, type Series } from './time-plot.ts';
import { comparisonChip } from './verdict.ts';

type Data = Readonly<Record<'rows' | 'daily' | 'stages', readonly Row[]>>;

/** How the arms of the newest experiment do against its champion. Not shown where there was none. */
export const experimentPanel = (): Panel<ModelContext> =>
  panel<ModelContext, Data>({
    id: 'experiment',
    title: 'Experiment',
    about: 'its arms against the champion; 95 % intervals that may be looked at daily',
    depends: ({ model, address }) => [model, address.metric],
    load: async ({ model }) => {
      const rows = await ask('experiment', { model });
      if (rows.length === 0) return undefined;
      const [daily, stages] = await Promise.all([
        ask('experiment-daily', { model }),
        ask('experiment-stages', { model }),
      ]);
      return { rows, daily, stages };
    },
    draw: (body, { rows, daily, stages }, { task, address, model }) => {
      const [first] = rows;
      body.say(aboutOf(first));
      body.add(armsOf(rows), ...stagesOf(stages));
      const metric = judgedMetric(daily, task, address.metric);
      if (metric !== undefined) plot(body, daily, metric, model);
      body.add(cardTable(tableOf('Arms and champion, metric by metric', fieldsOf(task), rows)));
      for (const arm of new Set(rows.filter(isArm).map((row) => text(row, 'model_version')))) {
        if (first?.['is_running'] !== true) continue;
        body.add(el('pre', {}, `select pgscore.stop_experiment('${model}', promote => '${model}@${arm}');`));
      }
    },
  });

const isArm = (row: Row): boolean => row['is_champion'] !== true;

function aboutOf(row: Row | undefined): string {
  const ended = text(row, 'stopped_at');
  const until = text(row, 'until');
  const end = ended !== '' ? ` to ${day(ended)}` : until === '' ? ', running' : `, running until ${day(until)}`;
  const ratio = number(row, 'srm_p_value');
  const split = ratio === null ? '' : ` Sample ratio: p = ${ratio < 0.001 ? ratio.toExponential(1) : decimal(ratio)}.`;
  const agreement = number(row, 'agreement');
  const agrees = agreement === null ? '' : ` It says the same as the champion of ${percent(agreement)} of labels.`;
  return `${text(row, 'kind')} from ${day(text(row, 'started_at'))}${end}.${split}${agrees}`;
}

/** Which share of entities each version has. */
function armsOf(rows: readonly Row[]): HTMLElement {
  const once = rows.filter((row, at) => rows.findIndex((one) => one['model_version'] === row['model_version']) === at);
  const entries = once.map((row) => {
    const share = number(row, 'weight');
    const role = isArm(row) ? '' : ', champion';
    const has = text(row, 'kind') === 'shadow' || share === null ? '' : `: ${share} % of entities`;
    return el(
      'span',
      {},
      swatch(number(row, 'model_version') ?? 1),
      `version ${text(row, 'model_version')}${role}${has}`,
    );
  });
  return el('div', { class: 'legend' }, ...entries);
}

/** From when on each arm had which share, where that has changed. */
function stagesOf(stages: readonly Row[]): HTMLElement[] {
  const versions = [...new Set(stages.map((row) => text(row, 'model_version')))];
  const lines = versions.flatMap((version) => {
    const own = stages.filter((row) => text(row, 'model_version') === version);
    const steps = own.map((row) => `${number(row, 'share')} % from ${moment(text(row, 'since'))}`);
    return steps.length < 2 ? [] : [el('li', {}, `version ${version}: ${steps.join(', then ')}`)];
  });
  return lines.length === 0 ? [] : [el('ul', { class: 'legend', 'aria-label': 'Stages' }, ...lines)];
}

function plot(body: PanelBody, daily: readonly Row[], metric: Metric, model: string): void {
  const rows = daily.filter((row) => row['metric'] === metric.column);
  const versions = [...new Set(rows.map((row) => number(row, 'model_version') ?? 1))];
  const dates = [...new Set(rows.map((row) => text(row, 'last_date')))].toSorted();
  const none: Series = {
    label: 'no difference',
    colour: colour('quiet'),
    dashed: true,
    bare: true,
    points: dates.map((date) => ({ date, value: 0 })),
  };
  const arms = versions.map((version) => ({
    label: `version ${version}`,
    colour: colourOf(version),
    points: rows
      .filter((row) => row['model_version'] === version)
      .map((row) => ({
        date: text(row, 'last_date'),
        value: number(row, 'difference'),
        low: number(row, 'always_valid_low'),
        high: number(row, 'always_valid_high'),
      })),
  }));
  const format = (value: number | null): string => write(metric, value);
  body.plot({
    label: `${metric.title} of the arms of ${model} less that of its champion`,
    config: timePlot({
      series: [...arms, none],
      axis: `${metric.title}, difference`,
      format,
      byMonth: false,
    }),
    table: {
      caption: `${metric.title} of the arms less that of the champion, up to each day`,
      columns: ['Version', 'Up to', ...['Difference', 'From', 'To'].map(numeric), 'Verdict'],
      rows: rows.map((row) => [
        text(row, 'model_version'),
        day(text(row, 'last_date')),
        ...['difference', 'always_valid_low', 'always_valid_high'].map((column) => format(number(row, column))),
        text(row, 'verdict').replaceAll('_', ' '),
      ]),
    },
  });
}

const fieldsOf = (task: Task): Field[] => [
  ['Version', (row) => `${text(row, 'model_version')}${isArm(row) ? '' : ', champion'}`],
  ['Metric', (row) => titleOf(task, text(row, 'metric'))],
  ['Verdict', (row) => (row['verdict'] === null ? '' : comparisonChip(text(row, 'verdict')))],
  [numeric('Difference'), (row) => (isArm(row) ? decimal(number(row, 'difference')) : '')],
  [numeric('Always valid'), intervalOf],
  [numeric('Value'), (row) => decimal(number(row, 'value'))],
  [numeric('Entities'), (row) => count(number(row, 'entities'))],
  [numeric('Labels'), (row) => percent(number(row, 'label_coverage'), 0)],
  ['Why', (row) => el('div', { class: 'wide' }, text(row, 'reason'))],
];

function intervalOf(row: Row): string {
  const low = number(row, 'always_valid_low');
  return low === null ? '' : `${decimal(low)} to ${decimal(number(row, 'always_valid_high'))}`;
}
