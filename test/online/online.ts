import type { Client } from 'pg';
import { transaction } from '../../src/postgres/statement.ts';
import type { Signature } from '../../src/inference/signature.ts';
import type { TestGatewayLogin, TestService } from '../support/service.ts';

export async function versionIdOf(superuser: Client, name: string): Promise<number> {
  const { rows } = await superuser.query<{ version_id: number }>(
    `select v.version_id from pgscore_data.version v join pgscore_data.model m using (model_id)
      where m.name || '@' || v.number = $1`,
    [name],
  );
  return rows[0]!.version_id;
}

/** Puts a ready version into the database that no check would let in, and gives its id. */
export async function addVersion(
  superuser: Client,
  name: string,
  bytes: Uint8Array,
  signature: Signature,
): Promise<number> {
  return transaction(superuser, async () => {
    const { rows } = await superuser.query<{ version_id: number }>(
      `with model as (
         insert into pgscore_data.model (name, created_by) values ($1, current_user) returning model_id
       ), granted as (
         insert into pgscore_data.model_grant (model_id, grantee, granted_by) select model_id, 'pgscore_user', current_user from model
       )
       insert into pgscore_data.version (model_id, number, sha256, size_bytes, signature, deployed_by)
       select model_id, 1, '', $3, $2, current_user from model returning version_id`,
      [name, JSON.stringify(signature), bytes.length],
    );
    const versionId = rows[0]!.version_id;
    const artifact =
      'insert into pgscore_data.artifact (version_id, is_served, piece, bytes) values ($1, false, 0, $2)';
    await superuser.query(artifact, [versionId, Buffer.from(bytes)]);
    await superuser.query("update pgscore_data.version set state = 'ready' where version_id = $1", [versionId]);
    return versionId;
  });
}

export async function gatewayOf(service: TestService): Promise<TestGatewayLogin> {
  const login = await service.gateway();
  if (login === undefined) throw new Error('the service has no gateway');
  return login;
}

export function libpqLogin({ host, port, user, password }: TestGatewayLogin): string {
  return `host=${host} port=${port} user=${user} password=${password} dbname=any`;
}
