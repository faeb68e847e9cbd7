import { statement } from '../postgres/statement.ts';

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
