import type pg from 'pg';
import { PgscoreError } from '../errors.ts';

/** What a database is to Citus; undefined where the extension is not installed. */
export type Citus = { readonly version: string; readonly coordinator: boolean };

export async function citusOf(client: pg.ClientBase): Promise<Citus | undefined> {
  const { rows: found } = await client.query<{ version: string }>(
    "select extversion as version from pg_extension where extname = 'citus'",
  );
  const [extension] = found;
  if (extension === undefined) return undefined;
  const { rows } = await client.query<{ coordinator: boolean }>(
    'select groupid = 0 as coordinator from pg_catalog.pg_dist_local_group',
  );
  return { ...extension, coordinator: rows[0]?.coordinator ?? true };
}

/** A worker, and which of some roles it lacks; undefined where it did not answer. */
export type WorkerRoles = { readonly node: string; readonly missing: string[] | undefined };

/** Asks every worker for roles by name. */
export async function rolesOnWorkers(client: pg.ClientBase, roles: readonly string[]): Promise<WorkerRoles[]> {
  const names = client.escapeLiteral(JSON.stringify(roles));
  const question = `select coalesce(json_agg(r.name), '[]') from json_array_elements_text(${names}) r (name) where to_regrole(r.name) is null`;
  const { rows } = await client.query<{ node: string; success: boolean; result: string }>(
    "select nodename || ':' || nodeport as node, success, result from pg_catalog.run_command_on_workers($1) order by 1",
    [question],
  );
  return rows.map(({ node, success, result }) => ({ node, missing: success ? JSON.parse(result) : undefined }));
}

/** Has every worker run one statement, each in a transaction of its own; a statement that creates is not passed on by it. Raises what a worker says. */
export async function runOnWorkers(client: pg.ClientBase, statement: string): Promise<void> {
  const local = `do ${client.escapeLiteral(`begin perform set_config('citus.enable_ddl_propagation', 'off', true); ${statement}; end`)}`;
  const { rows } = await client.query<{ node: string; result: string }>(
    "select nodename || ':' || nodeport as node, result from pg_catalog.run_command_on_workers($1) where not success",
    [local],
  );
  const [failed] = rows;
  if (failed === undefined) return;
  throw new PgscoreError('node_unavailable', `worker ${failed.node}: ${failed.result}`, {
    remedy: 'Start it, or take it out with citus_remove_node(); then run it again. pgscore doctor lists the nodes.',
  });
}
