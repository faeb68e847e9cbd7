import type { Client } from 'pg';

import type { Signature } from '../../src/model/signature.ts';
import type { TestGatewayLogin, TestService } from '../support/service.ts';

/** Stands in for the function that knows the grants, where it is not installed: every role may score, if there is one. */
export async function ensureMayScore(superuser: Client): Promise<void> {
  await superuser.query(`
    do $$ begin
      if to_regprocedure('pgscore._may_score(name, int)') is null then
        create function pgscore._may_score(role name, version_id int) returns boolean language sql stable
          as 'select exists (select from pg_catalog.pg_roles where rolname = role)';
        grant execute on function pgscore._may_score(name, int) to pgscore_service;
      end if;
    end $$`);
}

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
  const { rows } = await superuser.query<{ model_id: number; version_id: number }>(
    `with model as (
       insert into pgscore_data.model (name, created_by) values ($1, current_user) returning model_id
     )
     insert into pgscore_data.version (model_id, number, state, sha256, size_bytes, signature, deployed_by)
     select model_id, 1, 'ready', '', $3, $2, current_user from model returning model_id, version_id`,
    [name, JSON.stringify(signature), bytes.length],
  );
  const { model_id: modelId, version_id: versionId } = rows[0]!;
  await superuser.query('insert into pgscore_data.artifact (version_id, original) values ($1, $2)', [
    versionId,
    Buffer.from(bytes),
  ]);
  const granted = await superuser.query<{ there: boolean }>(
    `select to_regclass('pgscore_data.model_grant') is not null as there`,
  );
  if (granted.rows[0]?.there) {
    await superuser.query(
      `insert into pgscore_data.model_grant (model_id, grantee, granted_by) values ($1, 'pgscore_user', current_user)
       on conflict do nothing`,
      [modelId],
    );
  }
  return versionId;
}

export async function gatewayOf(service: TestService): Promise<TestGatewayLogin> {
  const login = await service.gateway();
  if (login === undefined) throw new Error('the service has no gateway');
  return login;
}

export function libpqLogin({ host, port, user, password }: TestGatewayLogin): string {
  return `host=${host} port=${port} user=${user} password=${password} dbname=any`;
}
