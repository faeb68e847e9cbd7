import { numeric, tableOf, type Field } from './data-table.ts';
import { ask, number, text, type Row } from './api.ts';
import { experimentList } from './experiment-bands.ts';
import { count, day, percent } from './format.ts';
import { versionLegend, colourOf, tint, colour } from './theme.ts';
import type { Marker } from './markers.ts';
import { isImmature, metricOf, readingOf, write, type Metric } from './model-metrics.ts';
import { ofTarget, ofVersions, type ModelContext } from './model-context.ts';
import { panel, type Panel, type PanelBody } from './panel.ts';
import { labelsHint, labelSourceHint, scoreHint } from './sql-hints.ts';
import { atOf } from './time-axis.ts';
import { timePlot, type Series } from './time-plot.ts';

type Data = Readonly<Record<'rows' | 'estimates' | 'events' | 'rules' | 'known', readonly Row[]>>;

/** How right each version was, window by window. */
export const performancePanel = (): Panel<ModelContext> =>
  panel<ModelContext, Data>({
    id: 'performance',
    title: 'Performance over time',
    about: 'with 95 % intervals',
    depends: ({ address: { grain, metric }, versions, target, experiments }) => ({
      versions,
      target,
      grain,
      metric,
      experiments,
    }),
    load: async (context) => {
      const { address, model, task, hasScore } = context;
      if (task === 'unjudged') return undefined;
      const [rows, estimates, events, rules, known] = await Promise.all([
        ask(`performance-${task}-${address.grain}`, { ...ofVersions(context), ...ofTarget(context) }),
        task === 'regression' || !hasScore ? [] : ask(`estimates-${address.grain}`, ofVersions(context)),
        ask('events', { model }),
        ask('alerts'),
        ask('versions'),
      ]);
      return { rows, estimates, events, rules: rules.filter((rule) => rule['model_name'] === model), known };
    },
    draw: (body, { rows, estimates, events, rules, known }, context) => {
      const { address, model, judged, target } = context;
      const metric = metricOf(judged, address.metric);
      if (rows.length === 0) return body.empty('This model has predicted nothing yet.', scoreHint(model));
      sayNoLabels(body, rows, context);
      const expected = estimated(estimates, metric, context);
      if (expected.length === 0 && rows.every((row) => number(row, metric.column) === null))
        return sayNothingTold(body, rows, metric);
      const byMonth = address.grain === 'month';
      const bounds = alertBounds(rules, context, metric.column, rows);
      body.say(`${metric.title}${target === undefined ? '' : ` of ${target}`}: ${readingOf(metric)}.`);
      body.add(
        versionLegend(context, {
          immature: true,
          bars: true,
          estimate: expected.length > 0,
          bound: bounds.length > 0,
        }),
        ...experimentList(context.experiments),
      );
      body.plot({
        label: `${metric.title} of ${target ?? model} by ${address.grain}`,
        size: 'tall',
        config: timePlot({
          series: [...seriesOfVersions(rows, metric, context), ...expected, ...bounds],
          bars: labelledOf(rows, context),
          markers: [...markersOf(events, model), ...trainingMarkers(known, context)],
          experiments: context.experiments,
          axis: metric.title,
          format: (value) => write(metric, value),
          byMonth,
        }),
        table: tableOf(`${metric.title} by version and window`, fieldsOf(estimates, metric, byMonth), rows),
      });
    },
  });

function sayNoLabels(body: PanelBody, rows: readonly Row[], context: ModelContext): void {
  if (rows.some((row) => number(row, 'n_labeled') !== 0)) return;
  const { model, health, targets, hasScore } = context;
  const source = text(health, 'label_source');
  const setLabels = labelsHint(model, hasScore ? [] : targets);
  const invalid = number(health, 'n_invalid') ?? 0;
  if (source === '') body.empty('The truth is not known yet: say where it arrives.', setLabels);
  else if (invalid > 0)
    body.empty(
      `${count(invalid)} labels of ${source} are none of this model, such as "${text(health, 'invalid_label')}": they judge nothing. Set labels from a view that says them as the model does.`,
      setLabels,
    );
  else body.empty(`Labels come from ${source}; none has met a prediction yet.`, labelSourceHint(model));
}

/** Why a metric has no value; nothing where no label has come, which is said already. */
function sayNothingTold(body: PanelBody, rows: readonly Row[], { title }: Metric): void {
  if (rows.every((row) => number(row, 'n_labeled') === 0)) return;
  const reasons = [...new Set(rows.map((row) => text(row, 'undefined_reason')))].filter((reason) => reason !== '');
  const why = reasons.length === 0 ? '' : `: ${reasons.join(', ').replaceAll('_', ' ')}`;
  body.say(`${title} has no value here${why}.`);
}

function labelledOf(rows: readonly Row[], { focus }: ModelContext): { date: string; n: number }[] {
  return rows
    .filter((row) => row['model_version'] === focus)
    .map((row) => ({ date: text(row, 'window_date'), n: number(row, 'n_labeled') ?? 0 }));
}

function seriesOfVersions(rows: readonly Row[], metric: Metric, { versions }: ModelContext): Series[] {
  return versions.map((version) => ({
    label: `version ${version}`,
    colour: colourOf(version),
    points: rows
      .filter((row) => row['model_version'] === version)
      .map((row) => ({
        date: text(row, 'window_date'),
        value: number(row, metric.column),
        low: metric.low === undefined ? null : number(row, metric.low),
        high: metric.high === undefined ? null : number(row, metric.high),
        immature: isImmature(row),
      })),
  }));
}

/** What the model itself expects to be right about, before the truth is known. */
function estimated(rows: readonly Row[], { column }: Metric, { versions }: ModelContext): Series[] {
  return versions.flatMap((version) => {
    const mine = rows.filter((row) => row['model_version'] === version).toReversed();
    const points = mine.map((row) => ({
      date: text(row, 'window_date'),
      value: number(row, estimateOf(column)),
    }));
    if (!points.some(({ value }) => value !== null)) return [];
    return [{ label: `version ${version}, estimated`, colour: tint(colourOf(version), 0.6), points, dashed: true }];
  });
}

/** Estimates are called the same for all classifiers; of three or more classes they are means over these. */
function estimateOf(column: string): string {
  const name = column
    .replace(/_actual$/, '')
    .replace(/^macro_(precision|recall|f1)$/, '$1_score')
    .replace(/^macro_/, '');
  return `estimated_${name}`;
}

function markersOf(events: readonly Row[], model: string): Marker[] {
  return events.flatMap((event) => {
    const version = /^@(\d+)/.exec(text(event, 'text').slice(model.length))?.[1];
    const action = (text(event, 'tags').split(',')[1] ?? '').replaceAll('_', ' ');
    // Bands show these.
    if (action === 'start experiment' || action === 'stop experiment') return [];
    return [{ at: atOf(text(event, 'time')), label: version === undefined ? action : `${action} ${version}` }];
  });
}

/** Until when the data reach that the versions were trained on. */
function trainingMarkers(known: readonly Row[], { model, versions }: ModelContext): Marker[] {
  return known
    .filter((row) => row['model_name'] === model && versions.includes(number(row, 'model_version') ?? 0))
    .filter((row) => row['trained_until'] !== null)
    .map((row) => ({ at: atOf(text(row, 'trained_until')), label: `training of ${text(row, 'model_version')} ends` }));
}

function fieldsOf(estimates: readonly Row[], metric: Metric, byMonth: boolean): Field[] {
  const estimated = new Map(estimates.map((row) => [windowOf(row), number(row, estimateOf(metric.column))]));
  const written = (row: Row, column: string | undefined): string =>
    write(metric, column === undefined ? null : number(row, column));
  return [
    ['Version', (row) => text(row, 'model_version')],
    ['From', (row) => day(text(row, 'window_date'), byMonth)],
    [numeric('Predictions'), (row) => count(number(row, 'n_predictions'))],
    [numeric('Labelled'), (row) => `${count(number(row, 'n_labeled'))} (${percent(number(row, 'label_coverage'), 0)})`],
    [numeric(metric.title), (row) => written(row, metric.column)],
    [numeric('Low'), (row) => written(row, metric.low)],
    [numeric('High'), (row) => written(row, metric.high)],
    [numeric('Estimated'), (row) => write(metric, estimated.get(windowOf(row)) ?? null)],
    ['Mature', maturityOf],
    ['Undefined', (row) => text(row, 'undefined_reason').replaceAll('_', ' ')],
  ];
}

/** Where later predictions stand in the place of all that have no label, none is missing. */
function maturityOf(row: Row): string {
  if (row['is_mature'] === true) return 'yes';
  return number(row, 'label_coverage') === null ? 'superseded' : 'not yet';
}

function windowOf(row: Row): string {
  return `${text(row, 'model_version')} ${text(row, 'window_date')}`;
}

/** Where the alerts about a metric begin, as lines over these windows. */
function alertBounds(
  rules: readonly Row[],
  { model, address, target }: ModelContext,
  metric: string,
  rows: readonly Row[],
): Series[] {
  const dates = [...new Set(rows.map((row) => text(row, 'window_date')))].toSorted();
  const about = rules.filter(
    (rule) =>
      rule['model_name'] === model &&
      rule['metric'] === metric &&
      rule['grain'] === address.grain &&
      [null, target ?? null].includes(rule['column_name'] as string | null),
  );
  return about.flatMap((rule) =>
    (['below', 'above'] as const).flatMap((direction) => {
      const bound = boundOf(rule, direction);
      if (bound === null) return [];
      const points = dates.map((date) => ({ date, value: bound }));
      const label = `alert ${direction}: ${text(rule, 'alert')}`;
      return [{ label, colour: colour('bad'), dashed: true, bare: true, points }];
    }),
  );
}

/** As it was at the last look; a rule that had nothing to look at has the threshold that it was given, if any. */
function boundOf(rule: Row, direction: 'below' | 'above'): number | null {
  const looked = number(rule, direction === 'below' ? 'lower_threshold' : 'upper_threshold');
  return looked ?? (rule['direction'] === direction ? number(rule, 'threshold') : null);
}
