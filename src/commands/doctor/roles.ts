import type pg from 'pg';
import { createRoleLine, ROLES } from '../../install/roles.ts';
import { fail, ok, type Finding } from './finding.ts';
import { setting, type Flags } from '../../config.ts';
import { connect, urlFor } from '../../postgres/connect.ts';
import { failureOf } from '../failure.ts';

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

/** Whether the two logins of the service work, where a password or URL was given for them. */
export async function checkLogins(flags: Flags): Promise<Finding[]> {
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
  return Promise.all(logins.map(([role, login]) => tryLogin(role, login)));
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
