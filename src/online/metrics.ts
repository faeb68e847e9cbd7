import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { BATCH_SIZES, LATENCY_SECONDS, noStatistics } from './statistics.ts';
import type { GatewayStatistics, Histogram as Counts } from './statistics.ts';

type Read<T> = (statistics: GatewayStatistics) => T;

/** Shows Prometheus what the gateway counts. The counters begin anew with each gateway, as Prometheus expects of them. */
export function showGateway(registry: Registry, last: () => GatewayStatistics | undefined): void {
  const nothing = noStatistics();
  const now = (): GatewayStatistics => last() ?? nothing;
  const gauge = (name: string, help: string, read: Read<number>): Gauge => {
    const shown: Gauge = new Gauge({ name, help, registers: [registry], collect: () => shown.set(read(now())) });
    return shown;
  };
  const counter = (name: string, help: string, read: Read<number>): Counter => {
    const shown: Counter = new Counter({
      name,
      help,
      registers: [registry],
      collect: () => replace(shown, {}, read(now())),
    });
    return shown;
  };
  counter('pgscore_score_calls_total', 'Calls of score() that were settled', ({ calls }) => calls);
  counter('pgscore_score_rows_total', 'Rows that calls of score() were answered for', ({ rows }) => rows);
  counter(
    'pgscore_score_unrecorded_total',
    'Calls of score() not recorded for lack of room',
    ({ unrecorded }) => unrecorded,
  );
  gauge('pgscore_gateway_connections', 'Connections to the gateway', ({ connections }) => connections);
  gauge('pgscore_score_queue_calls', 'Calls of score() in hand', ({ queuedCalls }) => queuedCalls);
  gauge('pgscore_score_queue_rows', 'Rows of calls of score() in hand', ({ queuedRows }) => queuedRows);
  const errors: Counter = new Counter({
    name: 'pgscore_gateway_errors_total',
    help: 'Errors that the gateway answered with, by SQLSTATE',
    labelNames: ['sqlstate'],
    registers: [registry],
    collect: () => {
      errors.reset();
      for (const [sqlstate, count] of Object.entries(now().errors)) errors.inc({ sqlstate }, count);
    },
  });
  void new CountedHistogram(
    registry,
    'pgscore_score_seconds',
    'Time from a call of score() to its answer',
    LATENCY_SECONDS,
    () => now().latency,
  );
  void new CountedHistogram(
    registry,
    'pgscore_score_batch_rows',
    'Rows that one run of a model took',
    BATCH_SIZES,
    () => now().batches,
  );
}

function replace(counter: Counter, labels: Record<string, string>, value: number): void {
  counter.reset();
  counter.inc(labels, value);
}

type Sample = { metricName: string; labels: Record<string, string | number>; value: number };

/** A histogram that another process counted. The library has none whose buckets can be set. */
class CountedHistogram extends Histogram {
  readonly #facts: { name: string; help: string };
  readonly #bounds: readonly number[];
  readonly #read: () => Counts;

  constructor(registry: Registry, name: string, help: string, bounds: readonly number[], read: () => Counts) {
    super({ name, help, buckets: [...bounds], registers: [registry] });
    this.#facts = { name, help };
    this.#bounds = bounds;
    this.#read = read;
  }

  /** What the registry asks for. */
  getForPromString(): Promise<object> {
    return Promise.resolve({ ...this.#facts, type: 'histogram', aggregator: 'sum', values: this.#samples() });
  }

  #samples(): Sample[] {
    const { name } = this.#facts;
    const { buckets, sum } = this.#read();
    let count = 0;
    const samples = buckets.map((observed, index): Sample => {
      count += observed;
      return { metricName: `${name}_bucket`, labels: { le: this.#bounds[index] ?? '+Inf' }, value: count };
    });
    return [
      ...samples,
      { metricName: `${name}_sum`, labels: {}, value: sum },
      { metricName: `${name}_count`, labels: {}, value: count },
    ];
  }
}
