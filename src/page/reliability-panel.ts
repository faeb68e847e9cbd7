import { numeric } from './data-table.ts';
import { ask, number, type Row } from './api.ts';
import type { ChartConfiguration, Plugin } from './chart.ts';
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
        table: tableOf(rows),
      });
    },
  });

function reliabilityChart(rows: readonly Row[], version: number): ChartConfiguration {
  const points = rows.map((row) => ({ x: number(row, 'mean_score') ?? 0, y: number(row, 'observed_rate') }));
  const middle = (row: Row): number => ((number(row, 'bin_low') ?? 0) + (number(row, 'bin_high') ?? 0)) / 2;
  const stroke = colourOf(version);
  const share = (value: number | string): string => percent(Number(value), 0);
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
        perfectLine(),
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
        x: { type: 'linear', min: 0, max: 1, title: { display: true, text: 'mean score' }, ticks: { callback: share } },
        n: {
          stack: 'y',
          stackWeight: 1,
          beginAtZero: true,
          grace: '30%',
          grid: { display: false },
          border: { display: false },
          ticks: { display: false },
        },
        y: { stack: 'y', stackWeight: 4, min: 0, max: 1, ticks: { maxTicksLimit: 6, callback: share } },
      },
      plugins: { tooltip: { callbacks: { title: () => '' } } },
    },
    plugins: [whiskers(rows)],
  } as ChartConfiguration;
}

/** Where what is said is what happens. */
function perfectLine() {
  return {
    label: 'perfect',
    yAxisID: 'y',
    data: [
      { x: 0, y: 0 },
      { x: 1, y: 1 },
    ],
    borderColor: colour('quiet'),
    borderWidth: 1,
    borderDash: [3, 4],
    pointRadius: 0,
    pointHitRadius: 0,
  };
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

function tableOf(rows: readonly Row[]) {
  return {
    caption: 'Observed rate by tenth of the scores',
    columns: ['Scores', 'Predictions', 'Mean score', 'Observed', 'Low', 'High'].map((head, at) =>
      at === 0 ? head : numeric(head),
    ),
    rows: rows.map((row) => [
      `${(number(row, 'bin_low') ?? 0).toFixed(1)} to ${(number(row, 'bin_high') ?? 0).toFixed(1)}`,
      count(number(row, 'n')),
      percent(number(row, 'mean_score')),
      percent(number(row, 'observed_rate')),
      percent(number(row, 'ci_low')),
      percent(number(row, 'ci_high')),
    ]),
  };
}
