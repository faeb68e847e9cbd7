import { connect } from '../../src/postgres/connect.ts';
import { migrate } from '../../src/install/migrate.ts';
import { READER_PASSWORD, SERVICE_PASSWORD } from './service-passwords.ts';

/**
 * Installs what every test database holds; runs once, before the template is cloned.
 *
 * @param url the template database, as the superuser
 */
export async function prepareTemplate(url: string): Promise<void> {
  await migrate({ url, servicePassword: SERVICE_PASSWORD, readerPassword: READER_PASSWORD });
  const client = await connect({ url, applicationName: 'pgscore test' });
  await client.query('grant pgscore_user to alice, bob, mallory');
  await client.query('grant pgscore_deployer to ada');
  await client.end();
}
