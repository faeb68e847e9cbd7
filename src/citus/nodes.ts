import type pg from 'pg';
import { PgscoreError } from '../errors.ts';
import { retrying } from '../lib/retry.ts';
import { sqlState } from '../postgres/sqlstate.ts';
import { statement, type Queryable } from '../postgres/statement.ts';

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

/**
 * Keeps what a session creates from now on to the coordinator. Citus would repeat it on each node as pgscore_owner, which may not
 * log in.
 */
export async function keepDdlLocal(client: pg.Client): Promise<void> {
  await client.query(
    "select set_config('citus.enable_ddl_propagation', 'off', false) from pg_extension where extname = 'citus'",
  );
}

/** A node of a cluster that is not the coordinator; Citus calls it a worker. */
export type CitusNode = {
  readonly node: string;
  /** The roles that it lacks; undefined: it did not answer. */
  readonly missing: string[] | undefined;
  /** Whether it can take the functions of models. */
  readonly prepared: boolean;
};

type NodeAnswer = { readonly node: string; readonly success: boolean; readonly result: string };

/** Has every node run a statement, and returns what each of them answers. */
async function askNodes(client: pg.ClientBase, text: string): Promise<NodeAnswer[]> {
  const { rows } = await client.query<NodeAnswer>(
    "select nodename || ':' || nodeport as node, success, result from pg_catalog.run_command_on_workers($1) order by 1",
    [text],
  );
  return rows;
}

/** Asks every node which of some roles it lacks. */
export async function rolesOnNodes(client: pg.ClientBase, roles: readonly string[]): Promise<CitusNode[]> {
  const names = client.escapeLiteral(JSON.stringify(roles));
  const query = `select json_build_object('missing', coalesce(json_agg(r.name), '[]'), 'prepared', to_regnamespace('pgscore_models') is not null) from json_array_elements_text(${names}) r (name) where to_regrole(r.name) is null`;
  return (await askNodes(client, query)).map(({ node, success, result }) => ({
    node,
    ...(success ? JSON.parse(result) : { missing: undefined, prepared: false }),
  }));
}

/**
 * Has every node run `text`, each in a transaction of its own. A node passes on nothing that it creates.
 * @throws PgscoreError node_unavailable, with the error of the node
 */
export async function runOnNodes(client: pg.ClientBase, text: string): Promise<void> {
  const local = `do ${client.escapeLiteral(`begin perform set_config('citus.enable_ddl_propagation', 'off', true); ${text}; end`)}`;
  const failed = (await askNodes(client, local)).find(({ success }) => !success);
  if (failed === undefined) return;
  throw new PgscoreError('node_unavailable', `node ${failed.node}: ${failed.result}`, {
    remedy: 'Start it, or take it out with citus_remove_node(); then run it again. pgscore doctor lists the nodes.',
  });
}

/**
 * Functions of nodes in schema public, with the types of their arguments and their body. Citus sends some queries as they are
 * written; their score() finds these, which lead to the refusal of pgscore.score() there.
 */
const PUBLIC_FUNCTIONS = [
  ['score', 'text, anyelement', 'select pgscore.score($1, $2)'],
  ['score', 'text, anyelement, text', 'select pgscore.score($1, $2, $3)'],
  ['score_or_null', 'text, anyelement', 'select pgscore.score_or_null($1, $2)'],
  ['score_or_null', 'text, anyelement, text', 'select pgscore.score_or_null($1, $2, $3)'],
] as const;

/** What only a superuser of a node, or the owner of its database, may create: schemas for pgscore_service, and public.score(). */
const PREPARATION = [
  'create schema if not exists pgscore authorization pgscore_service',
  'create schema if not exists pgscore_models authorization pgscore_service',
  'create schema if not exists pgscore_sources authorization pgscore_service',
  'grant usage on schema pgscore, pgscore_models to pgscore_user',
  'grant usage, create on schema pgscore_sources to pgscore_user',
  'grant usage on schema pgscore_sources to pgscore_reader',
  'set local check_function_bodies = off',
  ...PUBLIC_FUNCTIONS.map(
    ([name, types, body]) => `if to_regprocedure('public.${name}(${types})') is null then
      create function public.${name}(${types}) returns double precision language sql volatile as '${body}';
    end if`,
  ),
];

/** Makes nodes ready to take the functions of models. */
export async function prepareNodes(client: pg.ClientBase): Promise<void> {
  if ((await citusOf(client)) !== undefined) await runOnNodes(client, PREPARATION.join('; '));
}

/** Takes pgscore off the nodes. */
export async function clearNodes(client: pg.ClientBase): Promise<void> {
  if ((await citusOf(client)) === undefined) return;
  const drops = PUBLIC_FUNCTIONS.map(([name, types, body]) => {
    const it = `public.${name}(${types})`;
    return `if (select p.prosrc from pg_proc p where p.oid = to_regprocedure('${it}')) = '${body}' then drop function ${it}; end if`;
  });
  await runOnNodes(
    client,
    ['drop schema if exists pgscore, pgscore_models, pgscore_sources cascade', ...drops].join('; '),
  );
}

const syncStatement = statement<[], { node: string; changed: number }>(
  'sync_nodes',
  'select node, changed from pgscore.sync_nodes()',
);

/** Brings the functions of native models to all nodes of Citus. Tries again where another service does so at the same time. */
export async function syncNodes(client: Queryable): Promise<void> {
  const again = (error: unknown): boolean => sqlState(error) === '08006';
  await retrying(() => syncStatement(client), { attempts: 3, pauseMs: 200, again }).catch((error: unknown) => {
    if (!again(error) || !(error instanceof Error)) throw error;
    throw new PgscoreError('node_unavailable', error.message, {
      remedy:
        'Start the node, or take it out with citus_remove_node(). If it is new, run pgscore migrate. Then deploy again.',
      cause: error,
    });
  });
}
