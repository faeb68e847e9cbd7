import { numeric, tableOf, type Field } from './data-table.ts';
import { ask, number, type Row } from './api.ts';
import { guideLine, shareTicks, type ChartConfiguration, type Plugin } from './chart.ts';
import { count, decimal, percent } from './format.ts';
import { isScore, ofMonth, type ModelContext } from './model-context.ts';
import { panel, type Panel } from './panel.ts';
import { colour, colourOf, tint } from './theme.ts';

type Data = { readonly rows: readonly Row[]; readonly month: Row | undefined };

/** Whether a probability of 0.7 comes true in seven cases of ten. */
export const reliabilityPanel = (): Panel<ModelContext> =>
  panel<ModelContext, Data>({
    id: 'reliability',
    title: 'Reliability',
    about: 'how often it happened, by what the model said',
    load: async (context) => {
      const values = ofMonth(context);
      if (context.task !== 'binary' || !isScore(context) || values === undefined) return undefined;
      const { model, focus } = context;
      const [rows, months] = await Promise.all([
        ask('reliability', values),
        ask('performance-binary-month', { model, versions: String(focus) }),
      ]);
      return { rows, month: months.find((row) => row['window_date'] === values.month) };
    },
    draw: (body, { rows, month }, { focus }) => {
      if (rows.length === 0) return body.say('No labels in this month.');
      const [error, brier] = [number(month, 'ece'), number(month, 'brier_score')];
      body.say(`Calibration error ${decimal(error)}, Brier score ${decimal(brier)}.`);
      body.plot({
        label: `Reliability diagram of version ${focus}: observed rate against mean score`,
        config: reliabilityChart(rows, focus),
        table: tableOf('Observed rate by tenth of the scores', FIELDS, rows),
      });
    },
  });

function reliabilityChart(rows: readonly Row[], version: number): ChartConfiguration {
  const points = rows.map((row) => ({ x: number(row, 'mean_score') ?? 0, y: number(row, 'observed_rate') }));
  const middle = (row: Row): number => ((number(row, 'bin_low') ?? 0) + (number(row, 'bin_high') ?? 0)) / 2;
  const stroke = colourOf(version);
  return {
    type: 'line',
    data: {
      datasets: [
        {
          label: 'observed',
          yAxisID: 'y',
          data: points,
          borderColor: stroke,
          backgroundColor: stroke,
          borderWidth: 2,
          pointRadius: 4,
        },
        guideLine('perfect', [0, 1]),
        {
          type: 'bar',
          label: 'predictions',
          yAxisID: 'n',
          data: rows.map((row) => ({ x: middle(row), y: number(row, 'n') })),
          backgroundColor: tint(colour('quiet'), 0.35),
          grouped: false,
          categoryPercentage: 1,
          barPercentage: 0.9,
        },
      ],
    },
    options: {
      scales: {
        x: { type: 'linear', min: 0, max: 1, title: { display: true, text: 'mean score' }, ticks: shareTicks(11) },
        n: {
          stack: 'y',
          stackWeight: 1,
          beginAtZero: true,
          grace: '30%',
          grid: { display: false },
          border: { display: false },
          ticks: { display: false },
        },
        y: { stack: 'y', stackWeight: 4, min: 0, max: 1, ticks: shareTicks(6) },
      },
      plugins: { tooltip: { callbacks: { title: () => '' } } },
    },
    plugins: [whiskers(rows)],
  } as ChartConfiguration;
}

/** The interval of each point. */
function whiskers(rows: readonly Row[]): Plugin {
  return {
    id: 'whiskers',
    beforeDatasetsDraw: ({ ctx, scales }) => {
      const { x, y } = scales;
      if (x === undefined || y === undefined) return;
      ctx.save();
      ctx.strokeStyle = tint(colour('quiet'), 0.7);
      ctx.lineWidth = 2;
      for (const row of rows) {
        const at = x.getPixelForValue(number(row, 'mean_score') ?? 0);
        ctx.beginPath();
        ctx.moveTo(at, y.getPixelForValue(number(row, 'ci_low') ?? 0));
        ctx.lineTo(at, y.getPixelForValue(number(row, 'ci_high') ?? 0));
        ctx.stroke();
      }
      ctx.restore();
    },
  };
}

const FIELDS: readonly Field[] = [
  ['Scores', (row) => `${(number(row, 'bin_low') ?? 0).toFixed(1)} to ${(number(row, 'bin_high') ?? 0).toFixed(1)}`],
  [numeric('Predictions'), (row) => count(number(row, 'n'))],
  [numeric('Mean score'), (row) => percent(number(row, 'mean_score'))],
  [numeric('Observed'), (row) => percent(number(row, 'observed_rate'))],
  [numeric('Low'), (row) => percent(number(row, 'ci_low'))],
  [numeric('High'), (row) => percent(number(row, 'ci_high'))],
];
