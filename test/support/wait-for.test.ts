import { expect, test } from '@jest/globals';

import { waitFor } from './wait-for.ts';

test('a condition is asked until it gives something, which is the answer', async () => {
  let asked = 0;
  await expect(waitFor(() => (++asked < 3 ? undefined : asked))).resolves.toBe(3);
});

test('a condition that only throws ends in an error that names it and carries the last error', async () => {
  const never = waitFor(() => Promise.reject(new Error('not yet')), { timeout: 20, message: 'a miracle' });
  await expect(never).rejects.toMatchObject({
    message: 'waited 20 ms for a miracle',
    cause: expect.objectContaining({ message: 'not yet' }),
  });
});
