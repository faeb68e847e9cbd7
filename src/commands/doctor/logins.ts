import { setting } from '../../config.ts';
import type { Flags } from '../../config.ts';
import { connect, urlFor } from '../../postgres/connect.ts';
import { failureOf } from '../failure.ts';
import { fail, ok } from './finding.ts';
import type { Finding } from './finding.ts';

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
  return Promise.all(logins.map(([role, login]) => checkLogin(role, login)));
}

async function checkLogin(role: string, url: string): Promise<Finding> {
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
