import { statement } from '../postgres/statement.ts';

/** Versions that calls of the service may ask for by an alias, champions first. Those that are compiled to SQL need no service. */
export const wantedVersions = statement<[], { versionId: number; bytes: number }>(
  'wanted_versions',
  `select v.version_id as "versionId", v.size_bytes::float8 as bytes
     from pgscore_data.alias a
     join pgscore_data.version v using (version_id)
     left join pgscore_data.execution e using (version_id)
    where v.state = 'ready' and e.native is not true
    group by v.version_id
    order by bool_or(a.alias = 'champion') desc, v.size_bytes`,
);
