import { statement } from '../postgres/statement.ts';
import type { Signature } from '../inference/signature.ts';

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
