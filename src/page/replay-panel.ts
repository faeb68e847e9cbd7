import { ask, number, text, type Row } from './api.ts';
import { cardTable, numeric, tableOf, type Field } from './data-table.ts';
import { count, day, decimal } from './format.ts';
import { isUnripe, judgedMetric, titleOf, write, type Metric, type Task } from './metrics.ts';
import type { ModelContext } from './model-context.ts';
import { panel, type Panel, type PanelBody, type Plot } from './panel.ts';
import { colour, colourOf } from './theme.ts';
import { timePlot, type Series } from './time-plot.ts';
import { comparisonChip } from './verdict.ts';

type Data = {
  readonly rows: readonly Row[];
  /** Of the newest replay. */
  readonly months: readonly Row[];
  /** What the champion came to live. */
  readonly live: readonly Row[];
};

const IN_TRAINING: Readonly<Record<string, string>> = { none: 'no', left_out: 'left out', unknown: 'not known' };

/** What versions would have said of the past, against what the champion said then. Not shown where nothing was replayed. */
export const replayPanel = (): Panel<ModelContext> =>
  panel<ModelContext, Data>({
    id: 'replays',
    title: 'Replays',
    about: 'what a version would have said of the past, against what the champion said then',
    depends: ({ model, address }) => [model, address.metric],
    load: async ({ model, task, hasScore }) => {
      const rows = await ask('replays', { model });
      const [newest] = rows;
      if (newest === undefined) return undefined;
      if (!hasScore || task === 'unjudged') return { rows, months: [], live: [] };
      const versions = text(newest, 'other_version');
      const [months, live] = await Promise.all([
        ask('replay-months', { model }),
        ask(`performance-${task}-month`, { model, versions }),
      ]);
      return { rows, months, live };
    },
    draw: (body, data, { task, address }) => {
      const judged = data.months.filter((row) => number(row, 'value') !== null);
      const metric = judgedMetric(judged, task, address.metric);
      if (metric !== undefined) body.plot(plotOf(data, metric));
      const caption = 'Replays against the champion, the newest first, with 95 % intervals';
      body.add(cardTable(tableOf(caption, fieldsOf(task), data.rows)));
      sayTraining(body, data.rows);
    },
  });

function plotOf({ rows, months, live }: Data, metric: Metric): Plot {
  const of = months.filter((row) => row['metric'] === metric.column);
  const [first, last] = [of[0], of.at(-1)].map((row) => text(row, 'window_date'));
  const version = number(of[0], 'model_version') ?? 1;
  const other = number(rows[0], 'other_version') ?? 1;
  const points = (some: readonly Row[], column: string): Series['points'] =>
    some.map((row) => ({ date: text(row, 'window_date'), value: number(row, column), unripe: isUnripe(row) }));
  const trained = of.filter((row) => row['in_training'] === true);
  const replayed = of.filter((row) => row['in_training'] !== true);
  const lived = live.filter(
    (row) => text(row, 'window_date') >= (first ?? '') && text(row, 'window_date') <= (last ?? ''),
  );
  const series: Series[] = [
    { label: `version ${version}, replayed`, colour: colourOf(version), points: points(replayed, 'value') },
    { label: 'in training', colour: colour('quiet'), points: points(trained, 'value'), dashed: true },
    { label: `version ${other}, live`, colour: colourOf(other), points: points(lived, metric.column) },
  ];
  const format = (value: number | null): string => write(metric, value);
  return {
    label: `${metric.title} of the newest replay of version ${version}, by month, and of version ${other} live`,
    config: timePlot({
      series: series.filter(({ points: some }) => some.length > 0),
      format,
      byMonth: true,
      axis: metric.title,
      legend: true,
    }),
    table: {
      caption: `${metric.title} of the newest replay by month`,
      columns: ['Version', 'Month', 'In training', ...['Predictions', 'Labelled', metric.title].map(numeric)],
      rows: of.map((row) => [
        text(row, 'model_version'),
        day(text(row, 'window_date'), true),
        row['in_training'] === null ? 'not known' : row['in_training'] === true ? 'yes' : 'no',
        count(number(row, 'n_predictions')),
        count(number(row, 'n_labeled')),
        format(number(row, 'value')),
      ]),
    },
  };
}

const fieldsOf = (task: Task): Field[] => [
  ['Version', (row) => `${text(row, 'model_version')}, replay`],
  ['Against', (row) => `${text(row, 'other_version')}, live`],
  ['Metric', (row) => titleOf(task, text(row, 'metric'))],
  ['Verdict', (row) => comparisonChip(text(row, 'verdict'), text(row, 'undefined_reason') || text(row, 'verdict'))],
  [numeric('Difference'), (row) => decimal(number(row, 'difference'))],
  [numeric('Interval'), intervalOf],
  [numeric('Value'), (row) => decimal(number(row, 'value_a'))],
  [numeric('The other’s'), (row) => decimal(number(row, 'value_b'))],
  ['Predictions for', daysOf],
  ['In training', (row) => IN_TRAINING[text(row, 'in_training')] ?? ''],
];

function intervalOf(row: Row): string {
  const low = number(row, 'ci_low');
  return low === null ? '' : `${decimal(low)} to ${decimal(number(row, 'ci_high'))}`;
}

function daysOf(row: Row): string {
  const first = text(row, 'first_date');
  return first === '' ? '' : `${day(first)} to ${day(text(row, 'last_date'))}`;
}

function sayTraining(body: PanelBody, rows: readonly Row[]): void {
  const said = new Set(rows.map((row) => text(row, 'in_training')));
  if (said.has('left_out'))
    body.say('Left out: predictions for a time in which the version was trained are not compared.');
  if (said.has('unknown'))
    body.say(
      'Not known: the version does not say until when it was trained, and may have seen the answers (trained_until).',
    );
}
