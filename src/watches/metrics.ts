import { Gauge, type Registry } from 'prom-client';
import type { DatabaseConnection } from '../postgres/connection.ts';
import { statement } from '../postgres/statement.ts';

type WatchReading = {
  readonly model: string;
  readonly target: string;
  readonly pending: number;
  readonly oldest: number;
  readonly delay_p50: number | null;
  readonly delay_p95: number | null;
  readonly failing: number;
};

const readWatches = statement<[], WatchReading>(
  'read_watches',
  `select model, target, pending::float8, coalesce(extract(epoch from clock_timestamp() - oldest_pending), 0)::float8 as oldest,
          extract(epoch from delay_p50)::float8 as delay_p50, extract(epoch from delay_p95)::float8 as delay_p95,
          (error is not null)::int as failing
     from pgscore.watches`,
);

const LABELS = ['model', 'target'];

/** Shows Prometheus how far behind the watches of the database are. A database that does not answer shows none. */
export function showWatches(registry: Registry, connection: DatabaseConnection): void {
  let reading: Promise<readonly WatchReading[]> | undefined;
  // The gauges of one scrape share one look.
  const read = (): Promise<readonly WatchReading[]> => {
    reading ??= connection
      .use((client) => readWatches(client))
      .catch(() => [])
      .finally(() => (reading = undefined));
    return reading;
  };
  const gauge = (name: string, help: string, labels: string[], set: (gauge: Gauge, of: WatchReading) => void): void => {
    const collect = async (): Promise<void> => {
      const watches = await read();
      shown.reset();
      for (const watch of watches) set(shown, watch);
    };
    const shown: Gauge = new Gauge({ name, help, labelNames: labels, registers: [registry], collect });
  };
  gauge(
    'pgscore_watch_pending_rows',
    'Changed rows that wait or are being scored',
    LABELS,
    (shown, { model, target, ...watch }) => shown.set({ model, target }, watch.pending),
  );
  gauge(
    'pgscore_watch_oldest_pending_seconds',
    'Age of the oldest of them',
    LABELS,
    (shown, { model, target, ...watch }) => shown.set({ model, target }, watch.oldest),
  );
  gauge(
    'pgscore_watch_delay_seconds',
    'From a change to its visible prediction, over the last 100 publications',
    [...LABELS, 'quantile'],
    (shown, { model, target, delay_p50: median, delay_p95: most }) => {
      if (median !== null) shown.set({ model, target, quantile: '0.5' }, median);
      if (most !== null) shown.set({ model, target, quantile: '0.95' }, most);
    },
  );
  gauge('pgscore_watch_failing', '1 while an error stops the watch', LABELS, (shown, { model, target, ...watch }) =>
    shown.set({ model, target }, watch.failing),
  );
}
