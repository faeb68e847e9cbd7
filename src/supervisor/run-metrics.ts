import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Outcome } from '../scorer/job.ts';

/** What a service counts, in Prometheus' terms. */
export class RunMetrics {
  readonly registry = new Registry();
  readonly #runs = new Counter({
    name: 'pgscore_runs_total',
    help: 'Runs that ended, by state',
    labelNames: ['state'],
    registers: [this.registry],
  });
  readonly #rows = new Counter({
    name: 'pgscore_rows_total',
    help: 'Rows scored, by result',
    labelNames: ['result'],
    registers: [this.registry],
  });
  readonly #cpu = new Counter({
    name: 'pgscore_scorer_cpu_seconds_total',
    help: 'CPU time of scorers',
    registers: [this.registry],
  });
  readonly #jobs = new Counter({
    name: 'pgscore_jobs_total',
    help: 'Jobs of scorers, by how they ended',
    labelNames: ['outcome'],
    registers: [this.registry],
  });
  readonly #checks = new Histogram({
    name: 'pgscore_check_seconds',
    help: 'Time to check a deployed model',
    labelNames: ['verdict'],
    buckets: [0.25, 0.5, 1, 2, 5, 15, 60],
    registers: [this.registry],
  });

  /** A gauge that is read when it is asked for. */
  gauge(name: string, help: string, read: () => number): void {
    const gauge: Gauge = new Gauge({ name, help, registers: [this.registry], collect: () => gauge.set(read()) });
  }

  ended(state: 'done' | 'failed' | 'cancelled'): void {
    this.#runs.inc({ state });
  }

  jobEnded(outcome: Outcome): void {
    this.#jobs.inc({ outcome: outcome.kind });
    if (outcome.kind !== 'published' && outcome.kind !== 'loaded') return;
    this.#rows.inc({ result: 'scored' }, outcome.rowsDone - outcome.rowsFailed);
    this.#rows.inc({ result: 'failed' }, outcome.rowsFailed);
    this.#cpu.inc(outcome.cpuSeconds);
  }

  checked(verdict: 'ready' | 'rejected', seconds: number): void {
    this.#checks.observe({ verdict }, seconds);
  }
}
