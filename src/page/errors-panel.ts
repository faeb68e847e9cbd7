import { ask, number, text, type Row } from './api.ts';
import { el } from './dom.ts';
import { day, decimal } from './format.ts';
import { ENOUGH } from './metrics.ts';
import { ofVersion, type ModelContext } from './model-context.ts';
import { panel, type Panel } from './panel.ts';
import { colour } from './theme.ts';
import { timePlot } from './time-plot.ts';

const LINES = [
  ['half of the errors are below', 'median_abs_error', 1],
  ['mean', 'mae', 3],
  ['nine of ten are below', 'p90_abs_error', 2],
] as const;

/** How the errors of a regression lie, and to which side. */
export const errorsPanel = (): Panel<ModelContext> =>
  panel<ModelContext, Row[]>({
    id: 'errors',
    title: 'Errors',
    about: 'sizes, and to which side',
    depends: ({ address, focus }) => [address.grain, focus],
    load: async (context) => {
      const { model, version } = ofVersion(context);
      if (context.task !== 'regression') return undefined;
      return ask(`performance-regression-${context.address.grain}`, { model, versions: version });
    },
    draw: (sheet, rows, { address, focus }) => {
      const known = rows.filter((row) => number(row, 'n_labeled') !== 0);
      if (known.length === 0) return sheet.say('No labels yet.');
      const byMonth = address.grain === 'month';
      const points = (column: string) =>
        known.map((row) => ({
          date: text(row, 'window_date'),
          value: number(row, column),
          unripe: row['is_mature'] !== true || (number(row, 'n_labeled') ?? 0) < ENOUGH,
        }));
      sheet.add(
        el(
          'div',
          { class: 'legend' },
          ...LINES.map(([name, , series]) => el('span', {}, el('span', { class: `swatch s${series}` }), name)),
        ),
      );
      sheet.plot({
        label: `Sizes of the errors of version ${focus}`,
        size: 'low',
        config: timePlot({
          series: LINES.map(([label, column, series]) => ({
            label,
            colour: colour(`series-${series}`),
            points: points(column),
          })),
          format: decimal,
          byMonth,
        }),
        table: tableOf(known, 'Sizes of errors', byMonth, ['median_abs_error', 'mae', 'p90_abs_error']),
      });
      sheet.add(el('p', { class: 'quiet' }, 'Bias: above 0 the model says too much, below too little.'));
      sheet.plot({
        label: `Bias of version ${focus}`,
        size: 'low',
        config: timePlot({
          series: [{ label: 'bias', colour: colour('series-4'), points: points('bias') }],
          format: decimal,
          byMonth,
        }),
        table: tableOf(known, 'Bias and mean of the truth', byMonth, ['bias', 'actual_mean']),
      });
    },
  });

function tableOf(rows: readonly Row[], caption: string, byMonth: boolean, columns: readonly string[]) {
  return {
    caption,
    columns: ['From', ...columns.map((head) => ({ head: head.replaceAll('_', ' '), number: true as const }))],
    rows: rows.map((row) => [
      day(text(row, 'window_date'), byMonth),
      ...columns.map((column) => decimal(number(row, column))),
    ]),
  };
}
