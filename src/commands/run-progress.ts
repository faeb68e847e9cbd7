import { Presets, SingleBar } from 'cli-progress';
import type { RunRow } from '../postgres/schema.ts';
import type { Output } from './output.ts';

export type RunProgress = { update(run: RunRow): void; end(): void };

/** A bar on a terminal, a line now and then elsewhere. */
export function runProgress(output: Output): RunProgress {
  return output.terminal ? barProgress() : lineProgress(output);
}

const FORMAT = '{bar} {percentage}% | {value} of {total} rows | {rate} rows/s | {phase} | {eta_formatted} left';

function barProgress(): RunProgress {
  const bar = new SingleBar({ format: FORMAT, hideCursor: true, etaBuffer: 30 }, Presets.shades_classic);
  return {
    update: (run) => {
      if (run.state === 'queued') return;
      const total = Math.max(run.rows_total ?? 0, run.rows_done, 1);
      const payload = { rate: rateOf(run), phase: run.phase ?? run.state };
      if (!bar.isActive) bar.start(total, run.rows_done, payload);
      bar.setTotal(total);
      bar.update(run.rows_done, payload);
    },
    end: () => bar.stop(),
  };
}

const LINE_EVERY_MS = 5000;

function lineProgress(output: Output): RunProgress {
  let told = performance.now();
  return {
    update: (run) => {
      if (performance.now() - told < LINE_EVERY_MS) return;
      told = performance.now();
      output.note(
        `run ${run.run} ${run.state}: ${run.rows_done} of ${run.rows_total ?? '?'} rows, ${rateOf(run)} rows/s`,
      );
    },
    end: () => undefined,
  };
}

function rateOf(run: RunRow): string {
  return Math.round(run.rows_per_second ?? 0).toLocaleString('en');
}
