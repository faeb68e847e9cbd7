import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { floats, node, onnxModel, tensorValue } from '../support/onnx-builder.ts';
import { residentMib } from '../support/processes.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';

const MODELS = 60;
const [INNER, OUTER] = [1024, 2048];

/** A network of two layers, with weights of 8 MiB. */
const LARGE = onnxModel({
  metadata: { 'pgscore.features': JSON.stringify(['x']) },
  inputs: [tensorValue('x', [null, 1])],
  outputs: [tensorValue('y', [null, 1])],
  tensors: [
    floats('first', [1, INNER], Array<number>(INNER).fill(1)),
    floats('second', [INNER, OUTER], Array<number>(INNER * OUTER).fill(1 / OUTER)),
  ],
  nodes: [
    node('MatMul', ['x', 'first'], ['hidden']),
    node('Tanh', ['hidden'], ['bent']),
    node('MatMul', ['bent', 'second'], ['wide']),
    node('ReduceMean', ['wide'], ['y'], { axes: [1], keepdims: 1 }),
  ],
});

const database = await cloneDatabase();
const service = await startTestService(database, { PGSCORE_MODEL_MEMORY: '32' });

test('more models than there is memory for are served by one scorer, whose memory stays bounded', async () => {
  const superuser = await database.client();
  const alice = await database.client('alice');
  await deployBytes(await database.client('ada'), 'large', LARGE, { native: false });
  // The check of each would take longer than the test is about.
  await superuser.query(
    `with copies as (
       insert into pgscore_data.version (model_id, number, state, sha256, size_bytes, signature, deployed_by)
       select v.model_id, n, 'ready', v.sha256, v.size_bytes, v.signature, v.deployed_by from pgscore_data.version v, generate_series(2, $1::int) n
       returning version_id
     )
     insert into pgscore_data.artifact select c.version_id, a.is_served, a.piece, a.bytes from copies c, pgscore_data.artifact a`,
    [MODELS],
  );
  await alice.query('create table one as select 1 as id, 0.5::real as x');
  const [pid = 0] = await service.scorerPids();
  await scoreTable(alice, 'large@1', 'one', { key: 'id' });
  const before = residentMib(pid);
  const sizes: number[] = [];
  for (let number = 2; number <= MODELS; number += 1) {
    const run = await scoreTable(alice, `large@${number}`, 'one', { key: 'id', publish: true });
    expect(run.state).toBe('done');
    sizes.push(residentMib(pid));
  }
  expect(await service.scorerPids()).toEqual([pid]);
  // V8 frees the text of the files when it likes. Sessions that stay would take 240 MiB after half of the models, and never less.
  expect(Math.min(...sizes.slice(MODELS / 2)) - before).toBeLessThan(200);
}, 240_000);
