import type { WebhookConfig } from '../config.ts';
import type { DatabaseConnection } from '../postgres/connection.ts';
import type { Logger } from '../log.ts';
import { evaluateAlerts, sendAlerts } from './alerts.ts';
import { compareLabels } from './compare-labels.ts';
import { audit, refresh, upkeep } from './refresh.ts';
import type { SlowModels } from './refresh-models.ts';
import { Wakeable } from '../lib/wakeable.ts';
import { statement } from '../postgres/statement.ts';

const UPKEEP_MS = 3_600_000;
/** Beside the looks after each refresh: for silence, which brings no refresh. */
const LOOK_MS = 60_000;
const STOP_MS = 60_000;

/** How long a burst of changed rows may hold up what counts them. */
const MOST_WAIT_MS = 30_000;

/** What watching over models takes. */
export type MonitorLoopsOptions = {
  readonly connections: Readonly<Record<'refresh' | 'labels' | 'alerts', DatabaseConnection>>;
  readonly readerUrl: string | undefined;
  /** Where alerts are sent; undefined: they stay in the database. */
  readonly alertWebhook: WebhookConfig | undefined;
  readonly pollMs: number;
  /** False while the service is paused, and when it stops. */
  readonly goesOn: () => boolean;
  /** Whether changed rows wait for scorers, which are to have the processors. */
  readonly isBehind: () => boolean;
};

/**
 * Keeps accuracy up to date: takes labels and predictions into the cells, reads sources of labels again in their turn, raises
 * alerts, and stops experiments that are over. A loop that waits, as for a slow webhook, holds up no other.
 */
export class MonitorLoops {
  readonly #loops: readonly Wakeable[];

  constructor(options: MonitorLoopsOptions, log: Logger) {
    const { connections, readerUrl, pollMs, goesOn, isBehind } = options;
    const { refresh: refreshing, labels: comparing } = connections;
    const alertLoops = loopsOfAlerts(options, log);
    const slowModels: SlowModels = new Map();
    let refreshedAt = performance.now();
    const mayRefresh = (): boolean => goesOn() && !(isBehind() && performance.now() - refreshedAt < MOST_WAIT_MS);
    const refreshAll = async (): Promise<void> => {
      if (!mayRefresh()) return;
      await refreshing.use((client) => refresh(client, mayRefresh, log, slowModels));
      if (!mayRefresh()) return;
      refreshedAt = performance.now();
      alertLoops[0].wake();
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
    const keepUp = async (): Promise<void> => {
      if (goesOn()) await refreshing.use((client) => upkeep(client));
    };
    const auditAll = async (): Promise<void> => {
      if (!goesOn()) return;
      const wrong = await refreshing.use((client) => audit(client));
      if (wrong > 0)
        log.error({ cells: wrong }, 'the nightly audit found cells of accuracy wrong; pgscore.rebuild() repairs them');
    };
    this.#loops = [
      refreshLoop,
      new Wakeable('comparing labels', pollMs, compareAll, log),
      new Wakeable('forgetting what is too old', UPKEEP_MS, keepUp, log),
      new Wakeable('auditing accuracy', UPKEEP_MS, auditAll, log),
      ...alertLoops,
      experimentLoop(connections.alerts, goesOn, log),
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

/** The loop that looks at alerts, and the one that sends them. */
function loopsOfAlerts(
  { connections: { alerts: alerting }, alertWebhook: webhook, pollMs, goesOn }: MonitorLoopsOptions,
  log: Logger,
): [looking: Wakeable, sending: Wakeable] {
  const send = async (): Promise<void> => {
    if (webhook !== undefined) await sendAlerts(alerting, webhook, log, goesOn);
  };
  const sending = new Wakeable('sending alerts', pollMs, send, log);
  const look = async (): Promise<void> => {
    if (goesOn() && (await alerting.use((client) => evaluateAlerts(client, log)))) sending.wake();
  };
  return [new Wakeable('looking at alerts', LOOK_MS, look, log), sending];
}

const stopDue = statement<[], { model: string }>(
  'stop_due_experiments',
  'select model from pgscore_data._stop_due_experiments() model',
);

/** The loop that stops experiments whose `until` has passed. */
function experimentLoop(connection: DatabaseConnection, goesOn: () => boolean, log: Logger): Wakeable {
  const stop = async (): Promise<void> => {
    if (!goesOn()) return;
    const stopped = await connection.use((client) => stopDue(client));
    for (const { model } of stopped) log.info({ model }, 'experiment stopped, as its time is over');
  };
  return new Wakeable('stopping experiments', STOP_MS, stop, log);
}
