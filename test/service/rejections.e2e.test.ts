import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { submitDeploy } from '../support/deploy.ts';
import { node, onnxModel, tensorValue } from '../support/onnx-builder.ts';
import { refusal } from '../support/refusal.ts';
import { startTestService } from '../support/service.ts';

const database = await cloneDatabase();
await startTestService(database, { PGSCORE_LEASE: '2', PGSCORE_POLL: '0.2' });
const ada = await database.client('ada');

test('a model is rejected with its reason also where that quotes a name with a zero byte', async () => {
  const bytes = onnxModel({
    inputs: [tensorValue('x', [null, 1])],
    outputs: [tensorValue('y', [null, 1])],
    nodes: [node('Evil\0Operator', ['x'], ['y'])],
  });
  const version = await submitDeploy(ada, 'evil', bytes);
  expect(await refusal(ada, `call pgscore.wait_for_version('${version}', '60 seconds')`)).toMatchObject({
    message: expect.stringContaining('Evil\\0Operator'),
  });
  const { rows } = await ada.query('select state, reason_code, reason from pgscore.models');
  expect(rows).toEqual([
    { state: 'rejected', reason_code: 'model_unknown_operator', reason: expect.stringContaining('Evil\\0Operator') },
  ]);
});
