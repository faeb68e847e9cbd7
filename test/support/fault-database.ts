import { Client } from 'pg';

import { atEnd } from './at-end.ts';
import type { TestDatabase } from './database.ts';
import type { FaultServer } from './fault-server.ts';
import { createOrdinaryRoles, passwordOf } from './ordinary-roles.ts';
import { prepareTemplate } from './prepare-template.ts';
import { giveSchemas } from './test-run.ts';

const NAME = 'faults';

/** A database with pgscore on a server of one test file's own. Its connections end with a crash, like anybody's. */
export async function createFaultDatabase(server: FaultServer): Promise<TestDatabase> {
  const clients: Client[] = [];
  const open = async (url: string): Promise<Client> => {
    const client = new Client({ connectionString: url });
    client.on('error', () => undefined);
    await client.connect();
    clients.push(client);
    return client;
  };
  atEnd(async () => {
    await Promise.all(clients.map((client) => client.end()));
  });

  const superuser = await open(server.url());
  await createOrdinaryRoles(superuser, server.url());
  await superuser.query('create database faults template template0');
  await giveSchemas(await open(server.url(NAME)));
  await prepareTemplate(server.url(NAME));

  const url: TestDatabase['url'] = (as) =>
    server.url(NAME, typeof as === 'string' ? { user: as, password: passwordOf(as, server.url()) } : as);
  return { name: NAME, url, client: (as) => open(url(as)) };
}
