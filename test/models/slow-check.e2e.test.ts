import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { submitDeploy } from '../support/deploy.ts';
import { goldenBytes, goldenModels } from '../support/golden-models.ts';
import { childrenOf } from '../support/processes.ts';
import { refusal } from '../support/refusal.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';

const database = await cloneDatabase();
// No model passes in so little time: starting the process that tries it takes longer.
const service = await startTestService(database, { PGSCORE_CHECK_TIMEOUT: '0.1' });
const ada = await database.client('ada');

test('a model whose check takes too long is rejected, and the process that tried it is gone', async () => {
  const [model] = goldenModels;
  if (model === undefined) throw new Error('there are no models');
  for (const name of ['slow', 'slow', 'slower']) {
    const version = await submitDeploy(ada, name, goldenBytes(model));
    const wait = `call pgscore.wait_for_version('${version}')`;
    expect(await refusal(ada, wait)).toMatchObject({
      code: '55000',
      detail: 'Code: model_check_timeout',
      hint: expect.stringMatching(/.{10}/),
    });
  }
  await waitFor(async () => (await childrenOf(service.pid)).length === (await service.stayingPids()).length);
  expect((await fetch(`${service.url}/readyz`)).status).toBe(200);
});
