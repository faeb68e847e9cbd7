import type pg from 'pg';
import { installationState } from '../../install/installation.ts';
import { VERSION } from '../../version.ts';
import { fail, ok, warn, type Finding } from './machine.ts';
import { dblinkState } from '../../install/dblink.ts';
import { createRoleLine, ROLES } from '../../install/roles.ts';
import { setting, type Flags } from '../../config.ts';
import { connect, urlFor } from '../../postgres/connect.ts';
import { failureOf } from '../failure.ts';

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
            has_schema_privilege('pgscore', 'usage') and has_table_privilege('pgscore.services', 'select') as viewable
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
  const { rows: running } = await client.query<{ host: string; pid: number; scorers: number }>(
    `select host, pid, scorers from pgscore.services where state = 'running'`,
  );
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

type RoleState = {
  name: string;
  login: boolean;
  powers: string[];
  groups: string[];
};

/** The roles of pgscore as the server has them, with what they may do beyond an ordinary role and what they are members of. */
async function readRoles(client: pg.Client): Promise<Map<string, RoleState>> {
  const { rows } = await client.query<RoleState>(
    `select rolname as name, rolcanlogin as login,
            array_remove(array[case when rolsuper then 'superuser' end, case when rolbypassrls then 'bypassrls' end,
              case when rolcreaterole then 'createrole' end, case when rolcreatedb then 'createdb' end,
              case when rolreplication then 'replication' end], null) as powers,
            array(select m.roleid::regrole::text from pg_auth_members m where m.member = r.oid order by 1) as groups
       from pg_roles r where rolname = any ($1)`,
    [ROLES.map(({ name }) => name)],
  );
  return new Map(rows.map((row) => [row.name, row]));
}

/** What each role may be a member of; the installer's own memberships are the DBA's business. */
const GROUPS: Readonly<Record<string, readonly string[]>> = { pgscore_deployer: ['pgscore_user'] };

/** One finding for each role that is missing or not as it should be; one for all where they are. */
export async function checkRoles(client: pg.Client): Promise<Finding[]> {
  const states = await readRoles(client);
  if (states.size === 0) return [fail('roles', 'none of the roles of pgscore exists', 'pgscore migrate')];
  const problems = ROLES.flatMap((role) => {
    const state = states.get(role.name);
    if (state === undefined) return [fail('roles', `${role.name} is missing`, `Run: ${createRoleLine(role)};`)];
    return [...checkLogin(state, role.login), ...checkPowers(state), ...checkGroups(state)];
  });
  return problems.length > 0 ? problems : [ok('roles', ROLES.map(({ name }) => name).join(', '))];
}

function checkLogin({ name, login }: RoleState, wanted: boolean): Finding[] {
  if (login || !wanted) return [];
  return [fail('roles', `${name} may not log in`, `Run: alter role ${name} login;`)];
}

function checkPowers({ name, powers }: RoleState): Finding[] {
  if (powers.length === 0) return [];
  const line = `alter role ${name} ${powers.map((power) => `no${power}`).join(' ')};`;
  return [fail('roles', `${name} has ${powers.join(', ')}, which it must not have`, `As a superuser run: ${line}`)];
}

function checkGroups({ name, groups }: RoleState): Finding[] {
  const wanted = GROUPS[name] ?? [];
  const missing = wanted.filter((group) => !groups.includes(group));
  const extra = groups.filter((group) => !wanted.includes(group));
  return [
    ...missing.map((group) => fail('roles', `${name} is not a member of ${group}`, `Run: grant ${group} to ${name};`)),
    ...extra.map((group) =>
      fail('roles', `${name} is a member of ${group}, and has its rights`, `Run: revoke ${group} from ${name};`),
    ),
  ];
}

/** Whether the two logins of the service work, where a password or URL was given for them and their role exists. */
export async function checkLogins(client: pg.Client, flags: Flags): Promise<Finding[]> {
  const roles = await readRoles(client);
  const url = setting('databaseUrl', flags);
  const servicePassword = setting('servicePassword', flags);
  const readerPassword = setting('readerPassword', flags);
  const readerUrl = setting('readerUrl', flags);
  const logins: [role: string, url: string][] = [];
  if (url !== undefined && servicePassword !== undefined) {
    logins.push(['pgscore_service', urlFor(url, 'pgscore_service', servicePassword)]);
  }
  if (readerUrl !== undefined) logins.push(['pgscore_reader', readerUrl]);
  else if (url !== undefined && readerPassword !== undefined) {
    logins.push(['pgscore_reader', urlFor(url, 'pgscore_reader', readerPassword)]);
  }
  return Promise.all(logins.filter(([role]) => roles.has(role)).map(([role, login]) => tryLogin(role, login)));
}

async function tryLogin(role: string, url: string): Promise<Finding> {
  try {
    const client = await connect({ url, applicationName: 'pgscore doctor' });
    await client.end();
    return ok('login', role);
  } catch (error) {
    return fail(
      'login',
      failureOf(error).message,
      `Set its password, in psql: \\password ${role}. And check pg_hba.conf.`,
    );
  }
}
