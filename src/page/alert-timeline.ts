import type { ChartConfiguration } from './chart.ts';
import { moment } from './format.ts';
import type { Raised } from './open-alerts.ts';
import { colour } from './theme.ts';
import { dateOf, timeAxis } from './time-axis.ts';

/** A line for each alert, with a bar from when to when it was raised. */
export function timelineChart(raised: readonly Raised[]): ChartConfiguration {
  const alerts = [...new Set(raised.map(({ alert }) => alert))].toSorted();
  const span = (of: Raised): string => `${moment(iso(of.from))} to ${of.ended ? moment(iso(of.to)) : 'now'}`;
  return {
    type: 'bar',
    data: {
      labels: alerts,
      datasets: [
        {
          label: 'raised',
          data: raised.map(({ alert, from, to }) => ({ x: [from, to], y: alert })),
          backgroundColor: colour('bad'),
          minBarLength: 4,
          maxBarThickness: 14,
          grouped: false,
        },
      ],
    },
    options: {
      indexAxis: 'y',
      scales: {
        x: timeAxis(raised.flatMap(({ from, to }) => [startOf(from), startOf(to)])),
        y: { type: 'category', grid: { display: false } },
      },
      plugins: {
        tooltip: {
          callbacks: {
            title: ([item]: { dataIndex: number }[]) => raised[item?.dataIndex ?? 0]?.alert ?? '',
            label: ({ dataIndex }: { dataIndex: number }) => {
              const of = raised[dataIndex];
              return of === undefined ? '' : span(of);
            },
          },
        },
      },
    },
  } as unknown as ChartConfiguration;
}

function startOf(time: number): number {
  return Date.parse(`${dateOf(time)}T00:00:00Z`);
}

function iso(time: number): string {
  return new Date(time).toISOString();
}
