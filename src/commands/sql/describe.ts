import type pg from 'pg';
import { PgscoreError } from '../../errors.ts';

/** What the shell knows to ask the catalogue, as statements with their values. */
export type Question = { readonly text: string; readonly values: readonly unknown[] };

/** Tables and views that the role may read, but those of the system and the private ones of pgscore. */
export const TABLES: Question = {
  text: `select n.nspname as schema, c.relname as name,
                case c.relkind when 'r' then 'table' when 'p' then 'partitioned table' when 'v' then 'view'
                               when 'm' then 'materialised view' else 'foreign table' end as type,
                pg_catalog.pg_get_userbyid(c.relowner) as owner,
                pg_catalog.split_part(pg_catalog.obj_description(c.oid, 'pg_class'), '. ', 1) as description
           from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
          where c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition
            and n.nspname not in ('pg_catalog', 'information_schema', 'pgscore_data', 'pgscore_predictions', 'pgscore_sources')
            and n.nspname !~ '^pg_' and (n.nspname <> 'pgscore' or c.relname !~ '^_')
            and pg_catalog.has_schema_privilege(n.oid, 'usage')
            and pg_catalog.has_any_column_privilege(c.oid, 'select')
          order by 1, 2`,
  values: [],
};

/** The functions of pgscore, with the first sentence of what they do. */
export const FUNCTIONS: Question = {
  text: `select n.nspname || '.' || p.proname as name, pg_catalog.pg_get_function_arguments(p.oid) as arguments,
                coalesce(pg_catalog.pg_get_function_result(p.oid), 'procedure') as returns,
                pg_catalog.split_part(pg_catalog.obj_description(p.oid, 'pg_proc'), E'\\n', 1) as description
           from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
          where n.nspname = 'pgscore' and p.proname !~ '^_'
          order by 1, 2`,
  values: [],
};

/** The columns of a table or view. */
export function columnsOf(relation: string): Question {
  return {
    text: `select a.attname as column, pg_catalog.format_type(a.atttypid, a.atttypmod) as type,
                  case when a.attnotnull then 'not null' end as null,
                  pg_catalog.pg_get_expr(d.adbin, d.adrelid) as default,
                  pg_catalog.col_description(a.attrelid, a.attnum) as description
             from pg_catalog.pg_attribute a
             left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
            where a.attrelid = $1::pg_catalog.regclass and a.attnum > 0 and not a.attisdropped
            order by a.attnum`,
    values: [relation],
  };
}

/** The large object that a file became, as `\lo_import` of psql makes it. */
export async function importLargeObject(client: pg.ClientBase, bytes: Buffer): Promise<string> {
  const { rows } = await client.query<{ oid: string }>('select pg_catalog.lo_from_bytea(0, $1)::text as oid', [bytes]);
  const oid = rows[0]?.oid;
  if (oid === undefined) throw new PgscoreError('internal', 'lo_from_bytea() returned nothing');
  return oid;
}
