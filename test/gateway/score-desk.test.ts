import { describe, expect, test } from '@jest/globals';

import { LogRoom } from '../../src/gateway/log-room.ts';
import { waitFor } from '../support/wait-for.ts';
import { COMPUTED, errorOf, scores, stage } from './desk-stage.ts';

describe('calls that are logged', () => {
  const computed = { runs: [], session: COMPUTED };

  test('wait for room in the log before they are scored, and others do not', async () => {
    const room = new LogRoom(3);
    const { score, settled } = stage({ room, model: computed });
    expect(await scores(score([1, 2, 3], { log: true }))).toEqual([1, 2, 3]);
    expect(settled[0]).toMatchObject({ hasRoom: true });
    const late = score([4], { log: true });
    expect(await scores(score([5]))).toEqual([5]);
    expect(late.settled).toBeUndefined();
    room.kept(3);
    expect(await scores(late)).toEqual([4]);
    expect(room.enter(3)).toBe(false);
  });

  test('leave the room to others where they came too late for their deadline', async () => {
    const room = new LogRoom(1);
    const { score } = stage({ room, model: computed });
    await scores(score([1], { log: true }));
    expect(await errorOf(score([2], { log: true, deadlineMs: 20 }))).toMatchObject({ sqlstate: '57014' });
    room.kept(1);
    await waitFor(() => room.enter(1), { message: 'the room that it left' });
  });

  test('are scored without room where the log stands still', async () => {
    const room = new LogRoom(1, 20);
    const { score, settled } = stage({ room, model: computed });
    await scores(score([1], { log: true }));
    expect(await scores(score([2], { log: true }))).toEqual([2]);
    expect(await scores(score([3], { log: true }))).toEqual([3]);
    expect(settled.map(({ hasRoom }) => hasRoom)).toEqual([true, false, false]);
  });
});
