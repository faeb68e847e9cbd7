import { numeric } from './data-table.ts';
import { ask, number, type Row } from './api.ts';
import { guideLine, type ChartConfiguration, type Plugin } from './chart.ts';
import { count, decimal } from './format.ts';
import { rangeOf, sampledOf } from './error-panels.ts';
import { isScore, ofVersion, type ModelContext } from './model-context.ts';
import { chartPanel, type Panel } from './panel.ts';
import { colourOf, tint } from './theme.ts';

type Axis = 'predicted' | 'actual';
type Cell = { readonly x: number; readonly y: number; readonly n: number };

/** What a regression said against what came of it. */
export const fitPanel = (): Panel<ModelContext> =>
  chartPanel<ModelContext>({
    id: 'fit',
    title: 'Predicted and actual',
    about: 'of the newest labelled predictions',
    depends: ({ focus, target }) => [focus, target],
    load: async (context) =>
      isScore(context) && context.task === 'regression' ? ask('fit', ofVersion(context)) : undefined,
    nothing: ['No labels yet.'],
    plot: (rows, { focus }) => ({
      label: `What came of the predictions of version ${focus}, against what it said`,
      size: 'tall',
      config: fitChart(rows, focus),
      table: tableOf(rows),
    }),
    below: ([first]) =>
      `${sampledOf(first)} On the dashed line they were right; above it the truth was more than was said. The outermost cells hold what lies beyond.`,
  });

function fitChart(rows: readonly Row[], version: number): ChartConfiguration {
  const width = widthOf(rows);
  const cells = rows.map((row) => ({
    x: middle(row, 'predicted', width),
    y: middle(row, 'actual', width),
    n: number(row, 'n') ?? 0,
  }));
  const places = cells.flatMap(({ x, y }) => [x, y]);
  const ends = [Math.min(...places) - width, Math.max(...places) + width] as const;
  const axis = (title: string) => ({
    type: 'linear' as const,
    min: ends[0],
    max: ends[1],
    title: { display: true, text: title },
    ticks: { maxTicksLimit: 6, includeBounds: false },
  });
  return {
    type: 'scatter',
    data: {
      datasets: [
        { label: 'predictions', data: cells, pointRadius: 0, pointHoverRadius: 0, pointHitRadius: 8 },
        guideLine('right', ends),
      ],
    },
    options: {
      scales: { x: axis('predicted'), y: axis('actual') },
      plugins: { tooltip: { callbacks: { label: ({ raw }: { raw: unknown }) => tooltipOf(raw as Cell) } } },
    },
    plugins: [shades(cells, width, colourOf(version))],
  } as ChartConfiguration;
}

/** The cells themselves, darker where there are more. */
function shades(cells: readonly Cell[], width: number, fill: string): Plugin {
  const most = Math.max(...cells.map(({ n }) => n));
  return {
    id: 'shades',
    beforeDatasetsDraw: ({ ctx, scales }) => {
      const { x, y } = scales;
      if (x === undefined || y === undefined) return;
      ctx.save();
      for (const cell of cells) {
        const [left, right] = [x.getPixelForValue(cell.x - width / 2), x.getPixelForValue(cell.x + width / 2)];
        const [top, bottom] = [y.getPixelForValue(cell.y + width / 2), y.getPixelForValue(cell.y - width / 2)];
        ctx.fillStyle = tint(fill, 0.15 + 0.85 * Math.sqrt(cell.n / most));
        ctx.fillRect(left + 0.5, top + 0.5, right - left - 1, bottom - top - 1);
      }
      ctx.restore();
    },
  };
}

function tooltipOf({ x, y, n }: Cell): string {
  return `${count(n)} around ${decimal(x)} that came to ${decimal(y)}`;
}

/** Of a cell that is closed; 1 where all values are the same. */
function widthOf(rows: readonly Row[]): number {
  const widths = rows.flatMap((row) =>
    (['predicted', 'actual'] as const).map(
      (axis) => (number(row, `${axis}_high`) ?? Number.NaN) - (number(row, `${axis}_low`) ?? Number.NaN),
    ),
  );
  return widths.find((width) => width > 0) ?? 1;
}

function middle(row: Row, axis: Axis, width: number): number {
  const [low, high] = [number(row, `${axis}_low`), number(row, `${axis}_high`)];
  return ((low ?? (high ?? 0) - width) + (high ?? (low ?? 0) + width)) / 2;
}

function tableOf(rows: readonly Row[]) {
  return {
    caption: 'Predictions by what was said and what came of it',
    columns: ['Predicted', 'Actual', numeric('Predictions')],
    rows: rows.map((row) => [rangeOf(row, 'predicted'), rangeOf(row, 'actual'), count(number(row, 'n'))]),
  };
}
