import type { Link } from '../db/link.ts';
import type { Logger } from '../log.ts';
import { compareLabels } from '../monitor/compare-labels.ts';
import { audit, refresh } from '../monitor/refresh.ts';
import { Wakeable } from './wakeable.ts';

const AUDIT_MS = 3_600_000;

/** What watching over models takes. */
export type WatchOptions = {
  readonly refreshing: Link;
  readonly comparing: Link;
  readonly readerUrl: string | undefined;
  readonly pollMs: number;
  /** False while the service is paused, and when it stops. */
  readonly goesOn: () => boolean;
};

/** Keeps accuracy up to date: takes labels and predictions into the cells, and reads sources of labels again in their turn. */
export class Watch {
  readonly #loops: readonly Wakeable[];

  constructor({ refreshing, comparing, readerUrl, pollMs, goesOn }: WatchOptions, log: Logger) {
    const refreshAll = async (): Promise<void> => {
      if (goesOn()) await refreshing.use((client) => refresh(client, goesOn));
    };
    const refreshLoop = new Wakeable('refreshing accuracy', pollMs, refreshAll, log);
    const compareAll = async (): Promise<void> => {
      while (goesOn()) {
        const compared = await comparing.use((client) => compareLabels(client, readerUrl));
        if (compared === undefined) return;
        if ('error' in compared) log.warn({ model: compared.model, err: compared.error }, 'labels could not be read');
        else log.debug(compared, 'labels compared');
        refreshLoop.wake();
      }
    };
    const auditSome = async (): Promise<void> => {
      if (!goesOn()) return;
      const wrong = await refreshing.use((client) => audit(client));
      if (wrong > 0)
        log.error({ cells: wrong }, 'the nightly audit found cells of accuracy wrong; pgscore.rebuild() repairs them');
    };
    this.#loops = [
      refreshLoop,
      new Wakeable('comparing labels', pollMs, compareAll, log),
      new Wakeable('auditing accuracy', AUDIT_MS, auditSome, log),
    ];
  }

  start(): void {
    for (const loop of this.#loops) loop.start();
  }

  wake(): void {
    for (const loop of this.#loops) loop.wake();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#loops.map((loop) => loop.stop()));
  }
}
