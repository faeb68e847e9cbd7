import { describe, expect, test } from '@jest/globals';
import { Permissions } from '../../../src/online/requests/authorise.ts';

describe('permissions', () => {
  test('are asked for once by all who wait, and remembered', async () => {
    let asked = 0;
    const permissions = new Permissions(() => {
      asked += 1;
      return Promise.resolve(true);
    });
    expect(permissions.known('alice', 1)).toBe(false);
    await Promise.all([permissions.ask('alice', 1), permissions.ask('alice', 1)]);
    expect(asked).toBe(1);
    expect(permissions.known('alice', 1)).toBe(true);
    expect(permissions.known('alice', 2)).toBe(false);
    expect(permissions.known('bob', 1)).toBe(false);
  });

  test('that are refused are asked for again: a grant takes effect at once', async () => {
    const answers = [false, true];
    const permissions = new Permissions(() => Promise.resolve(answers.shift()!));
    expect(await permissions.ask('alice', 1)).toBe(false);
    expect(permissions.known('alice', 1)).toBe(false);
    expect(await permissions.ask('alice', 1)).toBe(true);
  });

  test('that could not be had are asked for again', async () => {
    const answers = [() => Promise.reject(new Error('down')), () => Promise.resolve(true)];
    const permissions = new Permissions(() => answers.shift()!());
    await expect(permissions.ask('alice', 1)).rejects.toThrow('down');
    await expect(permissions.ask('alice', 1)).resolves.toBe(true);
  });
});
