import { statement } from '../postgres/statement.ts';
import type { Signature } from '../inference/signature.ts';

/** A version to be checked, with what its deployer said of it. */
export type ClaimedVersion = {
  version_id: number;
  attempt: number;
  name: string;
  options: Record<string, unknown>;
  expect: Record<string, unknown>[] | null;
};

/** Claims the oldest version that waits for its check, or whose checker fell silent. */
export const claimVersion = statement<[worker: string, leaseMs: number], ClaimedVersion>(
  'claim_version',
  `with waiting as materialized (
     select version_id from pgscore_data.version
      where state = 'checking' and (lease_until is null or lease_until < clock_timestamp())
      order by version_id limit 1 for update skip locked
   )
   update pgscore_data.version v
      set claimed_by = $1, lease_until = clock_timestamp() + $2 * interval '1 millisecond', attempt = v.attempt + 1
     from waiting, pgscore_data.model m
    where v.version_id = waiting.version_id and m.model_id = v.model_id
   returning v.version_id, v.attempt, m.name || '@' || v.number as name, v.options, v.expect`,
);

/** Renews the lease of a check that is under way. */
export const renewVersion = statement<[versionId: number, attempt: number, leaseMs: number]>(
  'renew_version',
  `update pgscore_data.version set lease_until = clock_timestamp() + $3 * interval '1 millisecond'
    where version_id = $1 and attempt = $2 and state = 'checking'`,
);

/**
 * The verdict ready: the version gets its signature and, where the check rewrote the graph, the bytes to serve. The first
 * ready version of a model becomes its champion. No row: another service gave a verdict meanwhile.
 */
export const acceptVersion = statement<
  [
    versionId: number,
    attempt: number,
    signature: Signature,
    served: Uint8Array | null,
    warnings: string[],
    facts: Record<string, unknown>,
  ],
  { champion: boolean }
>(
  'accept_version',
  `with ready as (
     update pgscore_data.version v
        set state = 'ready', signature = $3, warnings = $5, facts = $6, checked_at = clock_timestamp(), lease_until = null
      where v.version_id = $1 and v.attempt = $2 and v.state = 'checking'
     returning v.version_id, v.model_id
   ), stored as (
     update pgscore_data.artifact a set served = $4 from ready where a.version_id = ready.version_id and $4::bytea is not null
   ), champion as (
     insert into pgscore_data.alias (model_id, alias, version_id) select model_id, 'champion', version_id from ready
     on conflict (model_id, alias) do nothing
     returning model_id, version_id
   ), promoted as (
     insert into pgscore_data.promotion (model_id, version_id) select model_id, version_id from champion
   )
   select exists (select from champion) as champion from ready`,
);

/** The verdict rejected, with the reason and the remedy that the deployer reads. */
export const rejectVersion = statement<
  [versionId: number, attempt: number, code: string, reason: string, remedy: string | null],
  { version_id: number }
>(
  'reject_version',
  `update pgscore_data.version
      set state = 'rejected', reason_code = $3, reason = $4, remedy = $5, checked_at = clock_timestamp(), lease_until = null
    where version_id = $1 and attempt = $2 and state = 'checking'
   returning version_id`,
);
