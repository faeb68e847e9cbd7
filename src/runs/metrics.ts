import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Run } from './run.ts';
import type { Outcome } from './job.ts';

const WAITS = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60, 600];

/** What a service counts, in Prometheus' terms. */
export class RunMetrics {
  readonly registry = new Registry();
  readonly #runs = this.#counter('pgscore_runs_total', 'Runs that ended, by state', ['model', 'state']);
  readonly #rows = this.#counter('pgscore_rows_total', 'Rows scored, by result: scored or failed', ['model', 'result']);
  readonly #compute = this.#counter('pgscore_compute_seconds_total', 'CPU time of scorers', ['model']);
  readonly #jobs = this.#counter('pgscore_jobs_total', 'Jobs of scorers, by how they ended', ['outcome']);
  readonly #queue = this.#histogram(
    'pgscore_queue_seconds',
    'Time from the request of a run to its claim',
    ['model'],
    WAITS,
  );
  readonly #checks = this.#histogram(
    'pgscore_check_seconds',
    'Time to check a deployed model',
    ['verdict'],
    [0.25, 0.5, 1, 2, 5, 15, 60],
  );

  /** A gauge that is read when it is asked for. */
  gauge(name: string, help: string, read: () => number): void {
    const gauge: Gauge = new Gauge({ name, help, registers: [this.registry], collect: () => gauge.set(read()) });
  }

  claimed({ model, waitedMs }: Run): void {
    this.#queue.observe({ model }, waitedMs / 1000);
  }

  ended(model: string, state: 'done' | 'failed' | 'cancelled'): void {
    this.#runs.inc({ model, state });
  }

  jobEnded({ model }: Run, outcome: Outcome): void {
    this.#jobs.inc({ outcome: outcome.kind });
    if (outcome.kind !== 'published' && outcome.kind !== 'loaded') return;
    this.#rows.inc({ model, result: 'scored' }, outcome.rowsDone - outcome.rowsFailed);
    this.#rows.inc({ model, result: 'failed' }, outcome.rowsFailed);
    this.#compute.inc({ model }, outcome.cpuSeconds);
  }

  checked(verdict: 'ready' | 'rejected', seconds: number): void {
    this.#checks.observe({ verdict }, seconds);
  }

  #counter(name: string, help: string, labelNames: string[]): Counter {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }

  #histogram(name: string, help: string, labelNames: string[], buckets: number[]): Histogram {
    return new Histogram({ name, help, labelNames, buckets, registers: [this.registry] });
  }
}
