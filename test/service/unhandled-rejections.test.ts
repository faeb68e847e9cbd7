import { expect, test } from '@jest/globals';

import { createLogger, logUnhandledRejections } from '../../src/log.ts';

test('a rejected promise that nobody looks at is logged, until the service has stopped', () => {
  const logged: unknown[] = [];
  const log = Object.assign(createLogger('silent', false), { error: (facts: unknown) => logged.push(facts) });
  const reason = new Error('nobody looked');
  const before = process.listenerCount('unhandledRejection');
  const undo = logUnhandledRejections(log);
  process.emit('unhandledRejection', reason, Promise.resolve());
  expect(logged).toEqual([{ err: reason }]);
  undo();
  expect(process.listenerCount('unhandledRejection')).toBe(before);
});
