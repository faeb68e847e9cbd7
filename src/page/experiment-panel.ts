import { ask, number, text, type Row } from './api.ts';
import { cardTable, numeric, tableOf, type Field } from './data-table.ts';
import { el } from './dom.ts';
import { count, day, decimal, interval, moment, percent } from './format.ts';
import { swatch, colour, colourOf } from './theme.ts';
import { judgedMetric, titleOf, write, type Metric, type Task } from './model-metrics.ts';
import type { ModelContext } from './model-context.ts';
import { type PanelBody, panel, type Panel } from './panel.ts';
import { sayPromotion } from './promotion-panels.ts';
import { timePlot, type Series } from './time-plot.ts';
import { comparisonChip } from './verdict.ts';

type Data = Readonly<Record<'rows' | 'earlier' | 'daily' | 'stages' | 'objections', readonly Row[]>>;

/** How the arms of the newest experiment do against its champion, and how those of earlier ones did. Not shown where there was none. */
export const experimentPanel = (): Panel<ModelContext> =>
  panel<ModelContext, Data>({
    id: 'experiment',
    title: 'Experiment',
    about: 'its arms against the champion; 95 % intervals that may be looked at daily',
    depends: ({ model, address }) => [model, address.metric],
    load: async ({ model }) => {
      const all = await ask('experiment', { model });
      const experiment = text(all[0], 'experiment');
      if (experiment === '') return undefined;
      const rows = all.filter((row) => text(row, 'experiment') === experiment);
      const earlier = all.filter((row) => text(row, 'experiment') !== experiment && isArm(row));
      const [daily, stages, objections] = await Promise.all([
        ask('experiment-daily', { model, experiment }),
        ask('experiment-stages', { model, experiment }),
        ask('objections', { model, versions: armsOf(rows).join(',') }),
      ]);
      return { rows, earlier, daily, stages, objections };
    },
    draw: (body, { rows, earlier, daily, stages, objections }, { task, address, model }) => {
      const [first] = rows;
      body.say(aboutOf(first));
      body.add(sharesOf(rows), ...stagesOf(stages));
      const metric = judgedMetric(daily, task, address.metric);
      if (metric !== undefined) plot(body, daily, metric, model);
      body.add(cardTable(tableOf('Arms and champion, metric by metric', [...verdictsOf(task), ...SIZES, WHY], rows)));
      for (const arm of first?.['is_running'] === true ? armsOf(rows) : []) {
        const isJudged = rows.some(
          (row) => text(row, 'model_version') === arm && JUDGED.includes(text(row, 'verdict')),
        );
        const unjudged = isJudged ? [] : [{ model_version: arm, said: 'has no verdict yet' }];
        const statement = `select pgscore.stop_experiment('${model}', promote => '${model}@${arm}');`;
        sayPromotion(body, arm, statement, [...unjudged, ...objections]);
      }
      if (earlier.length === 0) return;
      body.say('A gate goes by the newest experiment that has labels enough of a version, and names it.');
      const fields: Field[] = [['Experiment', wordsOf], ...verdictsOf(task), WHY];
      body.add(cardTable(tableOf('Earlier experiments, the newest first', fields, earlier)));
    },
  });

/** So many versions may be asked about at once. */
const MOST_ARMS = 6;

/** Verdicts that tell something of an arm. */
const JUDGED = ['better', 'worse', 'no_difference'];

const isArm = (row: Row): boolean => row['is_champion'] !== true;

const armsOf = (rows: readonly Row[]): string[] =>
  [...new Set(rows.filter(isArm).map((row) => text(row, 'model_version')))].slice(0, MOST_ARMS);

/** Its number, its kind and when it was open. */
function wordsOf(row: Row | undefined): string {
  const ended = text(row, 'stopped_at');
  const until = text(row, 'until');
  const end = ended !== '' ? ` to ${day(ended)}` : until === '' ? ', running' : `, running until ${day(until)}`;
  const article = row?.['kind'] === 'ab' ? 'an' : 'a';
  return `${text(row, 'experiment')}, ${article} ${text(row, 'kind')} from ${day(text(row, 'started_at'))}${end}`;
}

function aboutOf(row: Row | undefined): string {
  const ratio = number(row, 'srm_p_value');
  const split = ratio === null ? '' : ` Sample ratio: p = ${ratio < 0.001 ? ratio.toExponential(1) : decimal(ratio)}.`;
  const agreement = number(row, 'agreement');
  const agrees = agreement === null ? '' : ` It says the same as the champion of ${percent(agreement)} of labels.`;
  return `Experiment ${wordsOf(row)}.${split}${agrees}`;
}

/** Which share of entities each version has. */
function sharesOf(rows: readonly Row[]): HTMLElement {
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

const verdictsOf = (task: Task): Field[] => [
  ['Version', (row) => `${text(row, 'model_version')}${isArm(row) ? '' : ', champion'}`],
  ['Metric', (row) => titleOf(task, text(row, 'metric'))],
  ['Verdict', (row) => (row['verdict'] === null ? '' : comparisonChip(text(row, 'verdict')))],
  [numeric('Difference'), (row) => (isArm(row) ? decimal(number(row, 'difference')) : '')],
  [numeric('Always valid'), (row) => interval(number(row, 'always_valid_low'), number(row, 'always_valid_high'))],
];

const SIZES: readonly Field[] = [
  [numeric('Value'), (row) => decimal(number(row, 'value'))],
  [numeric('Entities'), (row) => count(number(row, 'entities'))],
  [numeric('Labels'), (row) => percent(number(row, 'label_coverage'), 0)],
];

const WHY: Field = ['Why', (row) => el('div', { class: 'wide' }, text(row, 'reason'))];
