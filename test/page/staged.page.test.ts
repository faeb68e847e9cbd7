import { test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { startTestService } from '../support/service.ts';
import { openStage } from './stage.ts';
import { addDecisions, decisions } from './staged/decisions.ts';
import { addDrift, drift } from './staged/drift.ts';
import { addDelays, labels } from './staged/labels.ts';
import { addSplitModels, segments } from './staged/segments.ts';

const database = await cloneDatabase();
const superuser = await database.client();

for (const add of [addDrift, addDecisions, addDelays, addSplitModels]) await add(superuser);
await superuser.query('select pgscore.refresh()');
const service = await startTestService(database);

const stage = await openStage(database, service);
if (stage === undefined) test.skip('the page of staged models', () => undefined);
else for (const part of [drift, decisions, labels, segments]) part(stage);
