import type { Client } from 'pg';

const SCHEMAS = ['pgscore', 'pgscore_bi', 'pgscore_models', 'pgscore_predictions', 'pgscore_sources', 'pgscore_data'];

/** Rights of others than the owner, in an order that does not hang on who granted first. */
const acl = (array: string) => `(
  select coalesce(' grants ' || string_agg(g.line, '; ' order by g.line collate "C"), '')
    from (select coalesce(nullif(a.grantee, 0)::regrole::text, 'PUBLIC') || ': '
                 || string_agg(lower(a.privilege_type), ', ' order by a.privilege_type) as line
            from aclexplode(${array}) a
           where a.grantee <> 'pgscore_owner'::regrole
           group by a.grantee) g)`;

const comment = (text: string) => `coalesce(' -- ' || replace(${text}, E'\\n', ' / '), ' -- NO COMMENT')`;

/** Before PostgreSQL 17 these are unsafe instead; they are known by their cost. */
const RESTRICTED = "p.proparallel = 'r' or p.procost >= 10000";

const PARTS: readonly (readonly [title: string, query: string])[] = [
  [
    // Roles belong to the whole server: what tests beside this one made of theirs is left out.
    'Roles',
    `select rolname || concat(case when rolcanlogin then ' login' end, case when rolsuper then ' superuser' end,
              case when rolbypassrls then ' bypassrls' end, case when rolcreaterole then ' createrole' end,
              case when rolreplication then ' replication' end)
            || coalesce(' in ' || (select string_agg(m.roleid::regrole::text, ', ' order by m.roleid::regrole::text)
                                     from pg_auth_members m where m.member = r.oid), '') as line
       from pg_roles r where rolname like 'pgscore\\_%' and rolname not like 'pgscore\\_test\\_%' order by rolname`,
  ],
  [
    'Schemas',
    `select nspname || ' of ' || nspowner::regrole || ${acl('nspacl')} || ${comment("obj_description(oid, 'pg_namespace')")} as line
       from pg_namespace where nspname = any ($1) order by nspname`,
  ],
  [
    'Default rights',
    `select defaclrole::regrole || ' ' || defaclobjtype::text || ': ' || defaclacl::text as line
       from pg_default_acl where defaclrole = 'pgscore_owner'::regrole`,
  ],
  [
    'Tables and views',
    `select line from (
       select n.nspname, c.relname, 0 as part, 0 as position,
              case c.relkind when 'v' then 'view ' else 'table ' end || n.nspname || '.' || c.relname || ' of ' || c.relowner::regrole
              || coalesce(' with ' || array_to_string(c.reloptions, ', '), '')
              || ${acl('c.relacl')} || ${comment("obj_description(c.oid, 'pg_class')")} as line
         from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r', 'p', 'v', 'm')
       union all
       select n.nspname, c.relname, 1, a.attnum,
              '  ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || case when a.attnotnull then ' not null' else '' end
              || case a.attidentity when 'a' then ' generated always as identity' else '' end
              || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '')
              || case a.attstorage when t.typstorage then '' else ' storage ' || a.attstorage::text end
              || ${acl('a.attacl')} || coalesce(' -- ' || col_description(c.oid, a.attnum), '')
         from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
         join pg_type t on t.oid = a.atttypid
         left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
        where c.relkind in ('r', 'p', 'v', 'm') and a.attnum > 0 and not a.attisdropped
       union all
       select n.nspname, c.relname, 2, row_number() over (partition by c.oid order by k.conname), '  ' || k.conname || ' ' || pg_get_constraintdef(k.oid)
         from pg_constraint k join pg_class c on c.oid = k.conrelid join pg_namespace n on n.oid = c.relnamespace where k.contype <> 'n'
       union all
       select n.nspname, c.relname, 3, row_number() over (partition by c.oid order by i.indexrelid::regclass::text collate "C"), '  ' || pg_get_indexdef(i.indexrelid)
         from pg_index i join pg_class c on c.oid = i.indrelid join pg_namespace n on n.oid = c.relnamespace
        where not exists (select from pg_constraint k where k.conindid = i.indexrelid)
       union all
       select n.nspname, c.relname, 4, row_number() over (partition by c.oid order by t.tgname), '  ' || pg_get_triggerdef(t.oid)
         from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace where not t.tgisinternal
     ) x where nspname = any ($1) order by nspname, relname, part, position`,
  ],
  [
    'Functions',
    `select case p.prokind when 'p' then 'procedure ' else 'function ' end || n.nspname || '.' || p.proname
            || '(' || pg_get_function_arguments(p.oid) || ')' || coalesce(' returns ' || pg_get_function_result(p.oid), '')
            || ' of ' || p.proowner::regrole || ' ' || l.lanname
            || case p.provolatile when 'i' then ' immutable' when 's' then ' stable' else ' volatile' end
            || case when p.proparallel = 's' then ' parallel safe' when ${RESTRICTED} then ' parallel restricted' else '' end
            || case when p.prosecdef then ' security definer' else '' end || case when p.proisstrict then ' strict' else '' end
            || coalesce(' set ' || array_to_string(p.proconfig, ' set '), '')
            || case when p.proacl is null then ' grants PUBLIC: execute' else ${acl('p.proacl')} end
            || ${comment("obj_description(p.oid, 'pg_proc')")} as line
       from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_language l on l.oid = p.prolang
      where n.nspname = any ($1) order by n.nspname, p.proname, pg_get_function_arguments(p.oid) collate "C"`,
  ],
];

/** Everything that an installation makes, but the bodies of functions and views; the same on every version of PostgreSQL. */
export async function dumpSchema(client: Client): Promise<string> {
  const parts: string[] = [];
  for (const [title, query] of PARTS) {
    const values = query.includes('$1') ? [SCHEMAS] : [];
    const { rows } = await client.query<{ line: string }>(query, values);
    parts.push([`== ${title}`, ...rows.map(({ line }) => line)].join('\n'));
  }
  return `${parts.join('\n\n')}\n`;
}
