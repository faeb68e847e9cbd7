import { statement } from '../postgres/statement.ts';

/** Something that an alert has to say, with the values of the moment when it happened. */
export type AlertEvent = {
  readonly event_id: string;
  /** How often it was tried, this time included. */
  readonly attempts: number;
  readonly fingerprint: string;
  readonly model: string;
  /** Null: the alert is about the model, whatever its version. */
  readonly version: number | null;
  readonly alert: string;
  readonly metric: string;
  readonly grain: string;
  readonly column_name: string | null;
  readonly kind: 'performance' | 'integrity' | 'feed' | 'drift';
  readonly severity: 'info' | 'warning' | 'critical';
  readonly event: 'firing' | 'no_data' | 'reminder' | 'resolved';
  readonly reason: string | null;
  readonly at: Date;
  readonly began_at: Date;
  readonly window_start: Date | null;
  readonly window_end: Date | null;
  readonly value: number | null;
  readonly n: string | null;
  readonly lower_threshold: number | null;
  readonly upper_threshold: number | null;
  readonly is_digest: boolean;
  /** All of it as a sentence, as the views have it. */
  readonly message: string;
};

/** Takes the events that are to be told in one message; none where nothing is due. */
export const claimAlerts = statement<[], AlertEvent>('claim_alerts', 'select * from pgscore_data._claim_alerts()');

/** Ends their claim; with a failure they are tried again later. */
export const settleAlerts = statement<[events: string[], failure: string | null]>(
  'settle_alerts',
  'select pgscore_data._settle_alerts($1, $2)',
);
