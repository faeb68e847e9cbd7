import { ask, number, text, type Row } from './api.ts';
import { cardTable, numeric, tableOf, type Field } from './data-table.ts';
import { count, day, decimal, interval, moment } from './format.ts';
import { isImmature, judgedMetric, titleOf, write, type Metric, type Task } from './model-metrics.ts';
import type { ModelContext } from './model-context.ts';
import { panel, type Panel, type PanelBody, type Plot } from './panel.ts';
import { colour, colourOf } from './theme.ts';
import { timePlot, type Series } from './time-plot.ts';
import { comparisonChip } from './verdict.ts';

type Data = {
  readonly rows: readonly Row[];
  /** Of the newest replay that labels judge. */
  readonly months: readonly Row[];
};

const IN_TRAINING: Readonly<Record<string, string>> = {
  none: 'no',
  left_out: 'left out',
  unknown: 'not known',
  other_unknown: 'not known of the other',
};

/** What versions would have said of the past, against what the champion said then. Not shown where nothing was replayed. */
export const replayPanel = (): Panel<ModelContext> =>
  panel<ModelContext, Data>({
    id: 'replays',
    title: 'Replays',
    about: 'what a version would have said of the past, against what the champion said then',
    depends: ({ model, address }) => [model, address.metric],
    load: async ({ model, task, hasScore }) => {
      const rows = await ask('replays', { model });
      if (rows.length === 0) return undefined;
      return { rows, months: hasScore && task !== 'unjudged' ? await ask('replay-months', { model }) : [] };
    },
    draw: (body, { rows, months }, { task, address }) => {
      const judged = months.filter((row) => number(row, 'value') !== null);
      const metric = judgedMetric(judged, task, address.metric);
      if (metric !== undefined) {
        sayWindow(body, judged);
        body.plot(
          plotOf(
            months.filter((row) => row['metric'] === metric.column),
            metric,
          ),
        );
      }
      const caption = 'Replays against the champion, the newest first, with 95 % intervals';
      body.add(cardTable(tableOf(caption, fieldsOf(task), rows)));
      sayTraining(body, rows);
    },
  });

/** From when to when the newest replay that labels judge goes, and which months it has in part. */
function sayWindow(body: PanelBody, months: readonly Row[]): void {
  const [row] = months;
  const [from, to] = [text(row, 'from_time'), text(row, 'to_time')];
  const begins = from === '' ? 'the first row' : moment(from);
  const ends = to === '' ? 'the last row' : moment(to);
  const parts = new Set(months.filter(isPartial).map((month) => day(text(month, 'window_date'), true)));
  const partly = parts.size === 0 ? '' : ` Of ${[...parts].join(', ')} it has a part: its point is hollow.`;
  const lived = row?.['live_version'] === null ? '' : ' The live line is over the labels that judge both.';
  body.say(`The newest replay that labels judge goes from ${begins} to ${ends}.${partly}${lived}`);
}

function plotOf(months: readonly Row[], metric: Metric): Plot {
  const version = number(months[0], 'model_version') ?? 1;
  const live = number(months[0], 'live_version');
  const points = (some: readonly Row[], column: string): Series['points'] =>
    some.map((row) => ({
      date: text(row, 'window_date'),
      value: number(row, column),
      immature: isPartial(row) || isImmature(row),
    }));
  const trained = months.filter((row) => row['in_training'] === true);
  const replayed = months.filter((row) => row['in_training'] !== true);
  const series: Series[] = [
    { label: `version ${version}, replayed`, colour: colourOf(version), points: points(replayed, 'value') },
    { label: 'in training', colour: colour('quiet'), points: points(trained, 'value'), dashed: true },
    {
      label: `version ${live ?? ''}, live`,
      colour: live === version ? colour('ink') : colourOf(live ?? 1),
      points: points(
        // A month in which the version was trained has two rows.
        months.filter(
          (row, at) => row['live_value'] !== null && row['window_date'] !== months[at - 1]?.['window_date'],
        ),
        'live_value',
      ),
      dashed: true,
    },
  ];
  const format = (value: number | null): string => write(metric, value);
  return {
    label: `${metric.title} of the newest judged replay of version ${version}, by month, and of the champion live over the same labels`,
    config: timePlot({
      series: series.filter(({ points: some }) => some.length > 0),
      format,
      byMonth: true,
      axis: metric.title,
      legend: true,
    }),
    table: {
      caption: `${metric.title} of that replay by month`,
      columns: [
        'Version',
        'Month',
        'In training',
        ...['Predictions', 'Labelled', metric.title, 'Of both', 'Live'].map(numeric),
      ],
      rows: months.map((row) => [
        text(row, 'model_version'),
        `${day(text(row, 'window_date'), true)}${isPartial(row) ? ', a part' : ''}`,
        row['in_training'] === null ? 'not known' : row['in_training'] === true ? 'yes' : 'no',
        count(number(row, 'n_predictions')),
        count(number(row, 'n_labeled')),
        format(number(row, 'value')),
        count(number(row, 'n_live_labeled')),
        format(number(row, 'live_value')),
      ]),
    },
  };
}

const isPartial = (row: Row): boolean => row['is_partial'] === true;

const fieldsOf = (task: Task): Field[] => [
  ['Version', (row) => `${text(row, 'model_version')}, replay`],
  ['Against', (row) => `${text(row, 'other_version')}, live`],
  ['Metric', (row) => titleOf(task, text(row, 'metric'))],
  ['Verdict', (row) => comparisonChip(text(row, 'verdict'), text(row, 'undefined_reason') || text(row, 'verdict'))],
  [numeric('Difference'), (row) => decimal(number(row, 'difference'))],
  [numeric('Interval'), (row) => interval(number(row, 'ci_low'), number(row, 'ci_high'))],
  [numeric('Value'), (row) => decimal(number(row, 'value_a'))],
  [numeric('The other’s'), (row) => decimal(number(row, 'value_b'))],
  ['Predictions for', daysOf],
  ['In training', (row) => IN_TRAINING[text(row, 'in_training')] ?? ''],
];

function daysOf(row: Row): string {
  const first = text(row, 'first_date');
  return first === '' ? '' : `${day(first)} to ${day(text(row, 'last_date'))}`;
}

function sayTraining(body: PanelBody, rows: readonly Row[]): void {
  const said = new Set(rows.map((row) => text(row, 'in_training')));
  if (said.has('left_out'))
    body.say('Left out: predictions for a time in which one of both versions was trained are not compared.');
  if (said.has('unknown') || said.has('other_unknown'))
    body.say(
      'Not known: the version does not say until when it was trained (trained_until), and may have seen the answers of what is older than its deploy.',
    );
}
