import { Presets, SingleBar } from 'cli-progress';
import type { Connection } from '../client/connection.ts';
import { waitForRun, type Run } from '../client/runs.ts';
import type { Output } from './output.ts';

/**
 * Shows the progress of a run until it is done. Ctrl-C asks for its cancellation.
 *
 * @throws PgscoreError as `waitForRun()`
 */
export async function followRun(connection: Connection, number: number, output: Output): Promise<void> {
  const progress = runProgress(output);
  const interrupt = holdInterrupt(() => output.note(`Cancelling run ${number}; Ctrl-C again leaves without waiting.`));
  try {
    await waitForRun(connection, number, {
      onProgress: (run) => progress.update(run),
      onNotice: (notice) => output.note(notice),
      signal: interrupt.signal,
    });
  } finally {
    progress.end();
    interrupt.release();
  }
}

type RunProgress = { update(run: Run): void; end(): void };

/** A bar on a terminal, a line now and then elsewhere. */
function runProgress(output: Output): RunProgress {
  return output.terminal ? barProgress() : lineProgress(output);
}

const FORMAT = '{bar} {percentage}% | {value} of {total} rows | {rate} rows/s | {phase} | {eta_formatted} left';

function barProgress(): RunProgress {
  const bar = new SingleBar({ format: FORMAT, hideCursor: true, etaBuffer: 30 }, Presets.shades_classic);
  return {
    update: (run) => {
      if (run.state === 'queued') return;
      const total = Math.max(run.rowsTotal ?? 0, run.rowsDone, 1);
      const payload = { rate: rateOf(run), phase: run.phase ?? run.state };
      if (!bar.isActive) bar.start(total, run.rowsDone, payload);
      bar.setTotal(total);
      bar.update(run.rowsDone, payload);
    },
    end: () => bar.stop(),
  };
}

const LINE_EVERY_MS = 5000;

function lineProgress(output: Output): RunProgress {
  let printedAt = performance.now();
  return {
    update: (run) => {
      if (performance.now() - printedAt < LINE_EVERY_MS) return;
      printedAt = performance.now();
      output.note(
        `run ${run.run} ${run.state}: ${run.rowsDone} of ${run.rowsTotal ?? '?'} rows, ${rateOf(run)} rows/s`,
      );
    },
    end: () => undefined,
  };
}

function rateOf(run: Run): string {
  return Math.round(run.rowsPerSecond ?? 0).toLocaleString('en');
}

/** Ctrl-C while something is waited for. */
type Interrupt = {
  /** Is aborted by the first Ctrl-C. */
  readonly signal: AbortSignal;
  release(): void;
};

/** Holds the first Ctrl-C back and calls `pressed`; the second ends the process at once. */
function holdInterrupt(pressed: () => void): Interrupt {
  const controller = new AbortController();
  const hold = (): void => {
    process.once('SIGINT', leave);
    pressed();
    controller.abort();
  };
  process.once('SIGINT', hold);
  return {
    signal: controller.signal,
    release: () => {
      process.removeListener('SIGINT', hold);
      process.removeListener('SIGINT', leave);
    },
  };
}

function leave(): never {
  process.exit(130);
}
