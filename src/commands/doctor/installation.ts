import type pg from 'pg';
import { catalog, rowsOf } from '../../postgres/catalog.ts';
import { installationState } from '../../install/installation.ts';
import { VERSION } from '../../version.ts';
import { fail, ok, warn, type Finding } from './finding.ts';
import { dblinkState } from '../../install/dblink.ts';

type Access = { installed: boolean; readable: boolean; member: boolean; viewable: boolean };

/** Whether pgscore is installed, in which version, whether this is its database, and whether a service is alive. */
export async function checkInstallation(client: pg.Client): Promise<Finding[]> {
  const access = await readAccess(client);
  if (!access.installed) return [fail('installation', 'this database has no pgscore', 'pgscore migrate')];
  const services = access.viewable ? [await checkServices(client)] : [];
  if (!access.readable && !access.member) {
    const remedy = 'Run pgscore doctor as pgscore_service, or as a member of pgscore_owner.';
    return [warn('installation', 'there, but this role may not look at its version', remedy), ...services];
  }
  if (!access.readable) await client.query('set role pgscore_owner');
  try {
    return [await checkInstalledVersion(client), await checkOriginal(client), ...services];
  } finally {
    await client.query('reset role');
  }
}

async function readAccess(client: pg.Client): Promise<Access> {
  const { rows } = await client.query<Access>(
    `select t.oid is not null as installed,
            has_table_privilege(t.oid, 'select') and has_schema_privilege('pgscore_data', 'usage') as readable,
            exists (select from pg_roles r where r.rolname = 'pgscore_owner' and pg_has_role(r.oid, 'member')) as member,
            has_schema_privilege('pgscore', 'usage') and has_table_privilege('pgscore.workers', 'select') as viewable
       from (select c.oid from pg_namespace n join pg_class c on c.relnamespace = n.oid
              where n.nspname = 'pgscore_data' and c.relname = 'installation') t`,
  );
  return rows[0] ?? { installed: false, readable: false, member: false, viewable: false };
}

async function checkInstalledVersion(client: pg.Client): Promise<Finding> {
  const { rows } = await client.query<{ version: string }>('select version from pgscore_data.installation');
  const version = rows[0]?.version ?? 'unknown';
  if (version === VERSION) return ok('installation', `pgscore ${version}`);
  return fail(
    'installation',
    `the database has pgscore ${version}, this is ${VERSION}`,
    'pgscore migrate, with the newer of the two.',
  );
}

async function checkOriginal(client: pg.Client): Promise<Finding> {
  if ((await installationState(client)) === 'original')
    return ok('original', 'this is the database it was installed in');
  return warn(
    'original',
    'this is a restored copy; its service is paused',
    'pgscore adopt, if the copy is meant to act',
  );
}

async function checkServices(client: pg.Client): Promise<Finding> {
  const workers = await rowsOf(
    client,
    catalog.selectFrom('pgscore.workers').selectAll().where('state', '<>', 'stopped'),
  );
  const running = workers.filter(({ state }) => state === 'running');
  if (running.length === 0) return warn('service', 'none is running', 'pgscore serve');
  const places = running.map(({ host, pid, scorers }) => `${host} (pid ${pid}, ${scorers} scorers)`);
  return ok('service', places.join(', '));
}

/** Whether score() can ask the service for models that are not native; nothing where pgscore is not installed. */
export async function checkOnline(client: pg.Client): Promise<Finding[]> {
  const { rows } = await client.query<{ installed: boolean }>(
    "select to_regnamespace('pgscore') is not null as installed",
  );
  return rows[0]?.installed === true ? [await checkDblink(client)] : [];
}

async function checkDblink(client: pg.Client): Promise<Finding> {
  const dblink = await dblinkState(client);
  if (dblink.state === 'ready') return ok('online', 'score() asks the service through dblink');
  if (dblink.state === 'signed')
    return ok('online', `score() asks the service through dblink in schema "${dblink.schema}", and signs each request`);
  return warn('online', `score() is native only: ${dblink.reason}`, dblink.remedy);
}
