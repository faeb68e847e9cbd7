import { expect, test } from '@jest/globals';

import { ChildProgram } from '../../src/lib/child-process.ts';

test.each(['online/main', 'online/shadow/main'])(
  '%s ends where the service died before it had started',
  async (program) => {
    // The one that it was started by is another than the parent that it has.
    const child = new ChildProgram(program, { env: {}, v8Flags: [], arguments: ['1'], onMessage: () => undefined });
    expect(await child.exited).toBe('SIGKILL');
  },
);
