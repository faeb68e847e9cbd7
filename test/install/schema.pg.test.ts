import { test } from '@jest/globals';

import { migrate } from '../../src/install/migrate.ts';
import { expectCommitted } from '../support/committed.ts';
import { cloneDatabase, emptyDatabase } from '../support/database.ts';
import { dumpSchema } from './schema-dump.ts';

const fresh = await emptyDatabase();
const cloned = await cloneDatabase();

test('an installation is what test/schema.txt says, to be reviewed with every change', async () => {
  await migrate({ url: fresh.url() });
  await expectCommitted('test/schema.txt', await dumpSchema(await fresh.client()));
});

test('a database that was installed before is the same after another install', async () => {
  await migrate({ url: cloned.url() });
  await expectCommitted('test/schema.txt', await dumpSchema(await cloned.client()));
});
