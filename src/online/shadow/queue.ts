import type { Feature } from '../../inference/signature.ts';
import { statement } from '../../postgres/statement.ts';

/** Calls that are leased to this service, to be scored by an arm in the shadow of a champion. */
export type ShadowClaim = {
  readonly experimentId: number;
  readonly versionId: number;
  /** Both as users name them. */
  readonly version: string;
  readonly champion: string;
  /** Those of the champion, in their order. */
  readonly features: readonly Feature[];
  readonly salt: string;
  /** An entity is scored if its bucket is less. */
  readonly buckets: number;
  readonly startedBy: string;
  readonly batches: readonly string[];
};

/** A block of the log. Times are in microseconds since 2000. */
export type ShadowedBlock = {
  readonly id: string;
  readonly rows: number;
  readonly requestId: string | null;
  readonly instant: number;
  readonly laterMs: readonly number[] | null;
  readonly keys: readonly (readonly (string | null)[])[] | null;
  readonly eventTimes: readonly (number | null)[] | null;
  readonly features: readonly (readonly (number | null)[])[] | null;
  readonly inputs: readonly (Readonly<Record<string, unknown>> | null)[] | null;
};

export const skipPastBacklog = statement<[]>('skip_past_backlog', 'select pgscore_data._skip_past_backlog()');

export const shadowsDue = statement<[], { hasShadows: boolean; isDue: boolean }>(
  'shadows_due',
  `select has_shadows as "hasShadows", is_due as "isDue" from pgscore_data._shadows_due()`,
);

export const claimShadow = statement<[leaseMs: number], ShadowClaim>(
  'claim_shadow',
  `select experiment_id as "experimentId", version_id as "versionId", version, champion, features, salt, buckets,
          started_by as "startedBy", batches
     from pgscore_data._claim_shadow($1 * interval '1 millisecond')`,
);

export const readShadowedCalls = statement<
  [experimentId: number, versionId: number, batches: readonly string[]],
  ShadowedBlock
>(
  'read_shadowed_calls',
  `select prediction_id as id, n_predictions as rows, request_id as "requestId", asked_us as instant, later_ms as "laterMs", keys,
          event_us as "eventTimes", coalesce(features, reals::text::float8[]) as features, inputs
     from pgscore_data._shadowed_calls($1, $2, $3)`,
);

/** Sets for how long nobody else scores the calls of an arm. */
export const renewShadow = statement<[experimentId: number, versionId: number, leaseMs: number]>(
  'renew_shadow',
  `select pgscore_data._renew_shadow($1, $2, $3 * interval '1 millisecond')`,
);

/** Another service may score its calls at once. */
export const releaseShadow = statement<[experimentId: number, versionId: number]>(
  'release_shadow',
  `select pgscore_data._renew_shadow($1, $2, interval '0')`,
);

/** For the transaction that writes what an arm says. Raises where another service has done so, or blocks that were read are deleted. */
export const finishShadow = statement<
  [
    experimentId: number,
    versionId: number,
    batches: readonly string[],
    blocks: readonly string[],
    scored: number,
    failed: number,
    leftOut: number,
    error: string | null,
  ]
>('finish_shadow', 'select pgscore_data._finish_shadow($1, $2, $3, $4, $5, $6, $7, $8)');

/** `hungMs`: how long it had worked when it was taken to hang, as workTimer() counts; 0 where it failed otherwise. */
export const failShadow = statement<[experimentId: number, versionId: number, reason: string, hungMs: number]>(
  'fail_shadow',
  `select pgscore_data._fail_shadow($1, $2, $3, $4 * interval '1 millisecond')`,
);
