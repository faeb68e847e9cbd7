import { once } from 'node:events';
import type pg from 'pg';
import { ENCODINGS, NEWEST_MAJOR, OLDEST_MAJOR } from '../../install/migrate.ts';
import { fail, ok, warn, type Finding } from './machine.ts';
import { citusOf, type CitusNode } from '../../citus/nodes.ts';
import { nodeStates } from '../../install/roles.ts';

/** The minor releases that this version of pgscore was tested with; older ones lack fixes. */
const TESTED_MINORS: Readonly<Record<number, number>> = { 15: 18, 16: 14, 17: 10, 18: 4 };

/** @param number as in server_version_num: 180004 is 18.4 */
export function checkVersion(number: number): Finding {
  const major = Math.floor(number / 10_000);
  const minor = number % 10_000;
  const version = `${major}.${minor}`;
  if (major < OLDEST_MAJOR) {
    return fail('PostgreSQL', `${version} is too old`, `Use PostgreSQL ${OLDEST_MAJOR} to ${NEWEST_MAJOR}.`);
  }
  if (major > NEWEST_MAJOR) {
    return warn('PostgreSQL', `${version} is newer than what was tested`, 'Look for a newer release of pgscore.');
  }
  const tested = TESTED_MINORS[major] ?? 0;
  if (minor >= tested) return ok('PostgreSQL', version);
  return warn(
    'PostgreSQL',
    `${version} is older than the tested ${major}.${tested}`,
    `Update to ${major}.${tested} or later.`,
  );
}

type Server = { version: number; standby: boolean; encoding: string; dblink: string | null; installable: boolean };

/** What kind of server and database it is. */
export async function checkServer(client: pg.Client): Promise<Finding[]> {
  const { rows } = await client.query<Server>(
    `select current_setting('server_version_num')::int as version, pg_is_in_recovery() as standby,
            pg_encoding_to_char(d.encoding) as encoding,
            (select n.nspname from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'dblink') as dblink,
            exists (select from pg_available_extensions where name = 'dblink') as installable
       from pg_database d where d.datname = current_database()`,
  );
  const [server] = rows;
  if (server === undefined) return [];
  return [checkVersion(server.version), checkStandby(server), checkEncoding(server), checkDblink(server)];
}

function checkStandby({ standby }: Server): Finding {
  if (!standby) return ok('primary', 'takes writes');
  return fail('primary', 'this server is a standby, which only reads', 'Connect to the primary.');
}

function checkEncoding({ encoding }: Server): Finding {
  if (!ENCODINGS.includes(encoding))
    return fail('encoding', `${encoding} is not UTF8`, "Make a database with ENCODING 'UTF8'.");
  if (encoding !== 'SQL_ASCII') return ok('encoding', encoding);
  return warn(
    'encoding',
    'SQL_ASCII does not say what its bytes mean',
    'Text features are read as UTF-8; use a database with ENCODING UTF8.',
  );
}

function checkDblink({ dblink, installable }: Server): Finding {
  if (dblink !== null) return ok('dblink', `in schema ${dblink}`);
  if (installable) return ok('dblink', 'available');
  return warn(
    'dblink',
    'not available; score() has no online way',
    'Install the contrib modules of PostgreSQL on the server.',
  );
}

const NOTIFY_TIMEOUT_MS = 3000;

/** Whether NOTIFY arrives, which a pooler that shares sessions prevents. */
export async function checkNotify(client: pg.Client): Promise<Finding> {
  const heard = once(client, 'notification', { signal: AbortSignal.timeout(NOTIFY_TIMEOUT_MS) }).then(
    () => true,
    () => false,
  );
  await client.query('listen pgscore_doctor');
  await client.query('notify pgscore_doctor');
  const arrived = await heard;
  await client.query('unlisten pgscore_doctor');
  if (arrived) return ok('NOTIFY', 'arrives');
  return fail(
    'NOTIFY',
    'does not arrive: a pooler that shares sessions stands between',
    'Give pgscore serve the address of PostgreSQL itself, or of a pooler in session mode.',
  );
}

/** What pgscore needs of Citus; nothing where the database has no such extension. */
export async function checkCitus(client: pg.Client): Promise<Finding[]> {
  const citus = await citusOf(client);
  if (citus === undefined) return [];
  if (!citus.coordinator) {
    return [fail('Citus', `${citus.version}, and this is a worker`, 'Connect to the coordinator.')];
  }
  return [...(await checkInstalled(client)), ...(await checkNodes(client, citus.version))];
}

/** Functions that were installed before Citus would create objects on other nodes. */
async function checkInstalled(client: pg.Client): Promise<Finding[]> {
  const { rows } = await client.query<{ before: boolean }>(
    `select count(*) > 0 and count(*) filter (where 'citus.enable_ddl_propagation=off' = any (p.proconfig)) = 0 as before
       from pg_proc p where p.pronamespace = to_regnamespace('pgscore_data')`,
  );
  if (rows[0]?.before !== true) return [];
  return [fail('Citus', 'pgscore was installed before Citus', 'pgscore migrate')];
}

async function checkNodes(client: pg.Client, version: string): Promise<Finding[]> {
  const nodes = await nodeStates(client);
  if (nodes.length === 0)
    return [warn('Citus', `${version}, without another node`, "select citus_add_node('host', 5432);")];
  const problems = nodes.flatMap(checkNode);
  return problems.length > 0
    ? problems
    : [ok('Citus', `${version}, coordinator of ${nodes.map(({ node }) => node).join(', ')}`)];
}

function checkNode({ node, missing, prepared }: CitusNode): Finding[] {
  if (missing === undefined) {
    return [fail('Citus', `node ${node} does not answer`, 'Start it, or take it out with citus_remove_node().')];
  }
  if (missing.length === 0 && prepared) return [];
  const what = missing.length > 0 ? `has no role ${missing.join(', ')}` : 'was added after pgscore was installed';
  return [fail('Citus', `node ${node} ${what}`, 'pgscore migrate')];
}
