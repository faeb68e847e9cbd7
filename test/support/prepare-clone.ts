import { connect } from '../../src/postgres/connect.ts';
import { adoptInstallation } from '../../src/install/installation.ts';

/**
 * Repairs what CREATE DATABASE … TEMPLATE leaves behind: privileges and settings of the database itself, and anything
 * that was stored under the template's OID. Apart from what migrates, which takes each test file a tenth of a second to load.
 *
 * @param url the clone, as the superuser
 */
export async function prepareClone(url: string): Promise<void> {
  const client = await connect({ url, applicationName: 'pgscore test' });
  await adoptInstallation(client);
  await client.end();
}
