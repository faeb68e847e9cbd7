import { statement } from '../postgres/statement.ts';

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
