import { test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { openStage } from './stage.ts';
import { addCanary, experiment } from './watched/experiment.ts';
import { addExperiments, experimentBands } from './watched/experiment-bands.ts';
import { lists, promoteVersions } from './watched/lists.ts';
import { addWatchedModels } from './watched/models.ts';
import { month } from './watched/month.ts';
import { overview, raiseAlerts } from './watched/overview.ts';
import { addPausedModel, addRules, plots } from './watched/plots.ts';
import { addReplays, replays } from './watched/replays.ts';
import { use } from './watched/use.ts';
import { addNightly, failRows, verdicts } from './watched/verdicts.ts';

const database = await cloneDatabase();
const [superuser, ada] = await Promise.all([database.client(), database.client('ada')]);

await addWatchedModels(superuser);
await addPausedModel(superuser);
await addNightly(superuser);
await addCanary(superuser);
await superuser.query('select pgscore.refresh()');
await addRules(superuser);
await raiseAlerts(superuser);
await promoteVersions(superuser, ada);
await addExperiments(superuser);
await addReplays(superuser);
await failRows(superuser);
const service = await startTestService(database);
const compared = `select count(distinct model_name) = 2 as done from pgscore_bi.version_comparison where difference is not null and not is_replayed`;
await waitFor(async () => (await superuser.query<{ done: boolean }>(compared)).rows[0]?.done, {
  message: 'the comparisons',
});

const stage = await openStage(database, service);
if (stage === undefined) test.skip('the page of models that are watched', () => undefined);
else
  for (const part of [use, overview, verdicts, plots, month, lists, experiment, experimentBands, replays]) part(stage);
