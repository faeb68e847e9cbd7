import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';

import { ask, refusedLately } from '../../src/page/api.ts';

let limit: AbortController;
const asked = jest.fn<typeof fetch>();
const limited = jest.fn<typeof AbortSignal.timeout>();

beforeEach(() => {
  limit = new AbortController();
  jest.spyOn(AbortSignal, 'timeout').mockImplementation(limited);
  limited.mockReturnValue(limit.signal);
  jest.spyOn(globalThis, 'fetch').mockImplementation(asked);
});

afterEach(() => {
  jest.restoreAllMocks();
});

test('a question that is not answered in time is given up, and worth asking again', async () => {
  asked.mockImplementation(
    (_url, init) =>
      new Promise((_, reject) => init?.signal?.addEventListener('abort', () => reject(new Error('aborted')))),
  );
  expect(refusedLately()).toBe(false);
  const answer = ask('health');
  limit.abort();
  await expect(answer).rejects.toMatchObject({ code: 'service_slow', message: 'The service took too long to answer.' });
  expect(limited).toHaveBeenCalledWith(10_000);
  expect(refusedLately()).toBe(true);
});

test('an answer that takes too long to come whole is late, too', async () => {
  const body = new ReadableStream({
    start: (stream) => limit.signal.addEventListener('abort', () => stream.error(new Error('aborted'))),
  });
  asked.mockResolvedValue(new Response(body, { status: 200 }));
  const answer = ask('health');
  limit.abort();
  await expect(answer).rejects.toMatchObject({ code: 'service_slow' });
});

test('a service that can not be reached does not answer', async () => {
  asked.mockRejectedValue(new TypeError('Failed to fetch'));
  await expect(ask('health')).rejects.toMatchObject({
    code: 'service_unreachable',
    message: 'The service does not answer.',
  });
});

test('an answer that breaks off is none', async () => {
  asked.mockResolvedValue(new Response('{"columns":["a"],"rows":[[1],[', { status: 200 }));
  await expect(ask('health')).rejects.toMatchObject({ code: 'service_unreachable' });
});

test('a question waits for no other in the cache of the browser', async () => {
  asked.mockResolvedValue(new Response('{"columns":["a"],"rows":[[1],[null]]}', { status: 200 }));
  expect(await ask('health', { model: 'm n' })).toEqual([{ a: 1 }, { a: null }]);
  expect(asked).toHaveBeenLastCalledWith('/page/api/health?model=m+n', expect.objectContaining({ cache: 'no-store' }));
});
