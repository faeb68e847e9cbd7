import { statement } from '../postgres/statement.ts';

/** Renews the lease of a check that is under way. */
export const renewVersion = statement<[versionId: number, attempt: number, leaseMs: number]>(
  'renew_version',
  `update pgscore_data.version set lease_until = clock_timestamp() + $3 * interval '1 millisecond'
    where version_id = $1 and attempt = $2 and state = 'checking'`,
);
