import type { Client } from 'pg';

/** All that is written in generated functions, and more. */
const NAMES = ['+', '-', '*', '/', '%', '<', '<=', '>', '>=', '=', '<>', '||', '->', '->>', '?', '@>', '@@', '&'];
const TYPES =
  'real,double precision,numeric,smallint,int,bigint,boolean,text,varchar,bpchar,name,json,jsonb,text[],double precision[],record'.split(
    ',',
  );

/**
 * Makes a schema of operators, each for two types for which pg_catalog has none of that name, and whose use raises. PostgreSQL
 * prefers them to those of pg_catalog that would take a cast, however late in a search_path the schema stands.
 */
export async function layOperatorsInWait(client: Client, schema: string): Promise<void> {
  const make = `do $do$
    declare
      pair record;
      operator text;
      function text;
    begin
      create schema ${schema};
      for pair in
        select l::regtype as l, r::regtype as r from unnest($names$${list(TYPES)}$names$::text[]) l, unnest($names$${list(TYPES)}$names$::text[]) r
      loop
        function := format('${schema}.%I', 'meets ' || pair.l || ' and ' || pair.r);
        execute format('create function %s(%s, %s) returns boolean language plpgsql as %L', function, pair.l, pair.r,
          format('begin raise exception ''an operator in wait met %s and %s''; end', pair.l, pair.r));
        foreach operator in array $names$${list(NAMES)}$names$::text[] loop
          if not exists (select from pg_operator o where o.oprname = operator and o.oprleft = pair.l and o.oprright = pair.r) then
            execute format('create operator ${schema}.%s (leftarg = %s, rightarg = %s, function = %s)', operator, pair.l, pair.r, function);
          end if;
        end loop;
      end loop;
      grant usage on schema ${schema} to public;
    end $do$`;
  await client.query(make);
}

function list(names: readonly string[]): string {
  return `{${names.map((name) => `"${name}"`).join()}}`;
}

type Database = { client(): Promise<Client> };

/** A superuser whose search_path ends with such a schema: what she is answered, she is answered by operators of pg_catalog. */
export async function clientAmongTraps(database: Database): Promise<Client> {
  const client = await database.client();
  await layOperatorsInWait(client, 'in_wait');
  await client.query(`set search_path = "$user", public, in_wait`);
  return client;
}
