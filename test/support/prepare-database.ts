import { connect } from '../../src/db/connect.ts';
import { adoptInstallation } from '../../src/install/installation.ts';
import { migrate } from '../../src/install/migrate.ts';

export const SERVICE_PASSWORD = 'service';
export const READER_PASSWORD = 'reader';

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

/**
 * Repairs what CREATE DATABASE … TEMPLATE leaves behind: privileges and settings of the database itself, and anything
 * that was stored under the template's OID.
 *
 * @param url the clone, as the superuser
 */
export async function prepareClone(url: string): Promise<void> {
  const client = await connect({ url, applicationName: 'pgscore test' });
  await adoptInstallation(client);
  await client.end();
}
