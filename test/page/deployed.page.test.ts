import { test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { startTestService } from '../support/service.ts';
import { emptyPage } from './deployed/empty-page.ts';
import { targets } from './deployed/targets.ts';
import { unjudged } from './deployed/unjudged.ts';
import { watches } from './deployed/watches.ts';
import { openStage } from './stage.ts';

const database = await cloneDatabase();
const service = await startTestService(database, { PGSCORE_POLL: '0.5' });

const stage = await openStage(database, service);
if (stage === undefined) test.skip('the page of models that are deployed', () => undefined);
else for (const part of [emptyPage, watches, unjudged, targets]) part(stage);
