import { createReadStream } from 'node:fs';
import type pg from 'pg';
import { statement, transaction } from '../postgres/statement.ts';
import type { Signature } from '../inference/signature.ts';
import type { ModelFile } from '../onnx/model-folder.ts';

/** A version to be checked, with what its deployer said of it. */
export type ClaimedVersion = {
  version_id: number;
  attempt: number;
  name: string;
  options: Record<string, unknown>;
  expect: Record<string, unknown>[] | null;
};

/** Claims the oldest version that waits for its check, or whose checker fell silent. */
export const claimVersion = statement<[serviceId: string, leaseMs: number], ClaimedVersion>(
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

const acceptVersionRow = statement<
  [versionId: number, attempt: number, signature: Signature, warnings: string[], facts: Record<string, unknown>],
  { champion: boolean }
>(
  'accept_version',
  `with ready as (
     update pgscore_data.version v
        set state = 'ready', signature = $3, warnings = $4, facts = $5, checked_at = clock_timestamp(), lease_until = null
      where v.version_id = $1 and v.attempt = $2 and v.state = 'checking'
     returning v.version_id, v.model_id
   ), champion as (
     insert into pgscore_data.alias (model_id, alias, version_id) select model_id, 'champion', version_id from ready
     on conflict (model_id, alias) do nothing
     returning model_id, version_id
   ), promoted as (
     insert into pgscore_data.promotion (model_id, version_id) select model_id, version_id from champion
   )
   select exists (select from champion) as champion from ready`,
);

const storePiece = statement<[versionId: number, piece: number, bytes: Uint8Array]>(
  'store_piece',
  'insert into pgscore_data.artifact (version_id, is_served, piece, bytes) values ($1, true, $2, $3)',
);

/** What the check says of a version that is ready. */
export type Accepted = {
  readonly signature: Signature;
  readonly warnings: string[];
  readonly facts: Record<string, unknown>;
  /** The graph to serve; null where it is the one that was deployed. */
  readonly served: ModelFile | null;
};

/** As in pgscore_data._accept_deployment(): larger pieces leave more garbage while they are read. */
const PIECE_BYTES = 2 * 2 ** 20;

/**
 * Makes a version ready: stores its signature and the graph to serve. The first ready version of a model becomes its champion.
 * Undefined: another service gave a verdict meanwhile.
 */
export function acceptVersion(
  client: pg.ClientBase,
  { version_id: versionId, attempt }: ClaimedVersion,
  { signature, warnings, facts, served }: Accepted,
): Promise<{ champion: boolean } | undefined> {
  return transaction(client, async () => {
    const [accepted] = await acceptVersionRow(client, versionId, attempt, signature, warnings, facts);
    if (accepted !== undefined && served !== null) await storePieces(client, versionId, served);
    return accepted;
  });
}

async function storePieces(client: pg.ClientBase, versionId: number, { path }: ModelFile): Promise<void> {
  let piece = 0;
  for await (const bytes of createReadStream(path, { highWaterMark: PIECE_BYTES })) {
    await storePiece(client, versionId, piece, bytes as Buffer);
    piece += 1;
  }
}

/** Rejects a version, with the reason and the remedy that the deployer reads. */
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
