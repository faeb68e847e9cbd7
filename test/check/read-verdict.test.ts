import { expect, test } from '@jest/globals';
import type { CheckedModel } from '../../src/check/check-model.ts';
import { frameOf, readVerdict } from '../../src/check/probe-messages.ts';
import type { ModelFile } from '../../src/onnx/model-folder.ts';

const SERVED: ModelFile = { path: 'served.onnx', size: 7 };
const frame = (message: unknown) => frameOf(message as object);
const checked = (task: string, changed = false) => frame({ checked: { signature: { task } }, changed });
const report = frame({ report: { warnings: ['slow'] } });

async function readWith(served: ModelFile | undefined, ...pieces: Uint8Array[]) {
  const told: CheckedModel<ModelFile>[] = [];
  async function* stream(): AsyncGenerator<Uint8Array> {
    yield* pieces;
  }
  return {
    verdict: await readVerdict(
      stream(),
      () => Promise.resolve(served),
      (found) => told.push(found),
    ),
    told,
  };
}

const read = (...pieces: Uint8Array[]) => readWith(SERVED, ...pieces);

test('what is checked is told, and is part of the report', async () => {
  const first = { signature: { task: 'regression' }, served: null };
  expect(await read(checked('regression'), report)).toEqual({
    verdict: { ...first, warnings: ['slow'] },
    told: [first],
  });
  const other = frame({ report: { signature: { task: 'binary' }, served: null } });
  const { verdict } = await read(checked('regression', true), other);
  expect(verdict).toEqual({ signature: { task: 'regression' }, served: SERVED });
});

test('a refusal is one before and after something is checked', async () => {
  const refusal = frame({ refusal: { code: 'model_unreadable', message: 'it is none', remedy: 'Export it.' } });
  const error = { name: 'PgscoreError', code: 'model_unreadable', message: 'it is none', remedy: 'Export it.' };
  expect((await read(refusal)).verdict).toMatchObject(error);
  expect((await read(checked('regression'), refusal)).verdict).toMatchObject(error);
});

test.each([
  ['of another kind', { code: 'database_unreachable', message: 'it is away' }],
  ['of none', { code: 'model_strange', message: 'it is strange' }],
  ['without a text', { code: 'model_unreadable', message: 7 }],
  ['that never ends', { code: 'model_unreadable', message: 'x'.repeat(10_001) }],
  ['that is none', null],
])('a refusal %s is none', async (_, refusal) => {
  expect((await read(frame({ refusal }))).verdict).toBeUndefined();
});

test('a graph to serve that was not written, or can be none, is no verdict', async () => {
  const { verdict, told } = await readWith(undefined, checked('regression', true), report);
  expect([verdict, told.length]).toEqual([undefined, 0]);
});

test('nothing is checked twice', async () => {
  const { verdict, told } = await read(checked('regression'), checked('binary'), report);
  expect([verdict, told.length]).toEqual([undefined, 1]);
});

test.each([
  ['nothing', new Uint8Array(0)],
  ['a report of what was not checked', report],
  ['a part of one', checked('regression').subarray(0, 20)],
  ['a message that is no JSON', Buffer.concat([Buffer.from([3, 0, 0, 0]), Buffer.from('boo')])],
  ['a message that is no object', frame(null)],
  ['a message of many megabytes', Buffer.concat([Buffer.from([1, 0, 0, 4]), Buffer.alloc(100)])],
  ['a length that none has', Buffer.concat([Buffer.from([1, 0, 0, 255]), Buffer.alloc(100)])],
])('%s is no verdict', async (_, bytes) => {
  expect(await read(bytes)).toEqual({ verdict: undefined, told: [] });
});
