import { ask, number, text, type Row } from './api.ts';
import { modelLink } from './address.ts';
import { cardTable, type Table, numeric } from './data-table.ts';
import { el } from './dom.ts';
import { count, day, decimal, moment, NOTHING } from './format.ts';
import { panel, type Panel } from './panel.ts';
import { openAlertsIn, type OpenAlert } from './open-alerts.ts';
import type { ChartConfiguration } from './chart.ts';
import { colour } from './theme.ts';
import { dateOf, timeAxis } from './time-axis.ts';

const AT_REST = ['ok', 'insufficient_data'];
const TONES: Readonly<Record<string, string>> = {
  firing: 'bad',
  no_data: 'bad',
  warning: 'warn',
  pending: 'warn',
  ok: 'good',
  resolved: 'good',
};

/** Alerts that want attention, of one model or of all. Not shown where there are none. */
export const alertsPanel = (model?: string): Panel<undefined> =>
  panel<undefined, Row[]>({
    id: 'alerts',
    title: 'Alerts',
    depends: () => null,
    load: async () => {
      const now = (await alertsOf(model)).filter((row) => !AT_REST.includes(text(row, 'state')));
      return now.length === 0 ? undefined : now;
    },
    draw: (body, now) => body.add(listOf('Alerts that are raised or may be soon', 'state', 'since', now)),
  });

/** What a model is watched for without having raised it, and what was raised before. Not shown where nothing is watched. */
export const rulesPanel = (model: string): Panel<undefined> =>
  panel<undefined, { atRest: Row[]; before: Row[] }>({
    id: 'rules',
    title: 'Watched for',
    depends: () => null,
    load: async () => {
      const [all, before] = await Promise.all([alertsOf(model), ask('alert-history', { model })]);
      const atRest = all.filter((row) => AT_REST.includes(text(row, 'state')));
      return atRest.length + before.length === 0 ? undefined : { atRest, before };
    },
    draw: (body, { atRest, before }) => {
      if (atRest.length > 0) body.add(folded(restOf(atRest), listOf('Rules at rest', 'state', 'since', atRest)));
      if (before.length === 0) return;
      const raised = openAlertsIn(before, Date.now());
      if (raised.length > 0)
        body.plot({
          label: `From when to when alerts of ${model} were raised`,
          size: 'low',
          config: timelineChart(raised),
          table: eventsTable(before),
        });
      else body.add(folded(`${before.length} before`, cardTable(eventsTable(before))));
    },
  });

async function alertsOf(model: string | undefined): Promise<Row[]> {
  return (await ask('alerts')).filter((row) => model === undefined || row['model_name'] === model);
}

/** A rule that has nothing to go by is not at ease. */
function restOf(rows: readonly Row[]): string {
  const blind = rows.filter((row) => row['state'] === 'insufficient_data').length;
  const parts = [
    blind < rows.length && `${rows.length - blind} at rest`,
    blind > 0 && `${blind} without enough data of late`,
  ];
  return parts.filter((part) => part !== false).join(', ');
}

function folded(summary: string, inside: HTMLElement): HTMLElement {
  return el('details', {}, el('summary', {}, summary), inside);
}

function eventsTable(rows: readonly Row[]): Table {
  return tableOf('Raised and resolved', 'event', 'event_at', rows);
}

function listOf(caption: string, state: string, when: string, rows: readonly Row[]): HTMLElement {
  return cardTable(tableOf(caption, state, when, rows));
}

function tableOf(caption: string, state: string, when: string, rows: readonly Row[]): Table {
  return {
    caption,
    columns: ['State', 'Model', 'Alert', 'Of', numeric('Value'), numeric('Bound'), numeric('Rows'), 'Window', 'When'],
    rows: rows.map((row) => [
      el('span', { class: `chip ${TONES[text(row, state)] ?? 'plain'}` }, text(row, state).replaceAll('_', ' ')),
      el('a', { href: modelLink(text(row, 'model_name')) }, nameOf(row)),
      text(row, 'alert'),
      [text(row, 'metric'), text(row, 'column_name')].filter((word) => word !== '').join(' of '),
      decimal(number(row, 'value')),
      boundOf(row),
      count(number(row, 'n')),
      day(text(row, 'window_date')),
      moment(text(row, when) || null),
    ]),
  };
}

function nameOf(row: Row): string {
  const version = number(row, 'model_version');
  return version === null ? text(row, 'model_name') : `${text(row, 'model_name')}@${version}`;
}

function boundOf(row: Row): string {
  const [low, high] = [number(row, 'lower_threshold'), number(row, 'upper_threshold')];
  const bounds = [low === null ? '' : `≥ ${decimal(low)}`, high === null ? '' : `≤ ${decimal(high)}`];
  return bounds.filter((bound) => bound !== '').join(', ') || NOTHING;
}

/** A line for each alert, with a bar from when to when it was raised. */
function timelineChart(raised: readonly OpenAlert[]): ChartConfiguration {
  const alerts = [...new Set(raised.map(({ alert }) => alert))].toSorted();
  const span = (of: OpenAlert): string => `${moment(iso(of.from))} to ${of.ended ? moment(iso(of.to)) : 'now'}`;
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
