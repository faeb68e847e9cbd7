import { describe, expect, test } from '@jest/globals';
import { dueFires, type CatchUp, type Due, type Timetable } from '../../src/schedules/due.ts';
import { caught } from '../support/caught.ts';

const at = (time: string): Date => new Date(`2025-06-02T${time}Z`);

function hourly(catchUp: CatchUp, decidedUntil: string, more: Partial<Timetable> = {}): Timetable {
  return { cron: '0 * * * *', timeZone: 'UTC', paused: false, catchUp, decidedUntil: at(decidedUntil), ...more };
}

function brief({ submit, missed, next, decidedUntil }: Due): Record<string, string | string[]> {
  const time = (date: Date): string => date.toISOString().slice(11, 19);
  return { submit: submit.map(time), missed: missed.map(time), until: time(decidedUntil), next: time(next) };
}

describe('in time', () => {
  test.each<CatchUp>(['skip', 'latest', 'all'])('a fire is submitted once (%s)', (catchUp) => {
    const due = dueFires(hourly(catchUp, '01:59:59'), at('02:00:00.400'));
    expect(brief(due)).toEqual({ submit: ['02:00:00'], missed: [], until: '02:00:00', next: '03:00:00' });
    const again = dueFires(hourly(catchUp, '02:00:00.400'), at('02:00:01'));
    expect(brief(again)).toMatchObject({ submit: [], missed: [], next: '03:00:00' });
  });

  test('nothing is due a millisecond before', () => {
    expect(brief(dueFires(hourly('all', '01:00:30'), at('01:59:59.999')))).toMatchObject({
      submit: [],
      next: '02:00:00',
    });
  });
});

describe('after a gap', () => {
  test('latest submits the newest and misses the others', () => {
    expect(brief(dueFires(hourly('latest', '02:00:00'), at('05:30:00')))).toEqual({
      submit: ['05:00:00'],
      missed: ['03:00:00', '04:00:00'],
      until: '05:30:00',
      next: '06:00:00',
    });
  });

  test('all submits every one', () => {
    expect(brief(dueFires(hourly('all', '02:00:00'), at('05:30:00')))).toEqual({
      submit: ['03:00:00', '04:00:00', '05:00:00'],
      missed: [],
      until: '05:30:00',
      next: '06:00:00',
    });
  });

  test('skip misses what is older than a minute', () => {
    expect(brief(dueFires(hourly('skip', '02:00:00'), at('05:30:00')))).toMatchObject({
      submit: [],
      missed: ['03:00:00', '04:00:00', '05:00:00'],
    });
    expect(brief(dueFires(hourly('skip', '02:00:00'), at('05:00:30')))).toMatchObject({
      submit: ['05:00:00'],
      missed: ['03:00:00', '04:00:00'],
    });
  });

  test('of a year without service, all goes in parts and leaves none out', () => {
    const start = new Date('2025-01-01T00:00:00Z');
    const now = new Date('2025-01-11T00:00:00Z');
    let timetable = { ...hourly('all', '00:00:00'), decidedUntil: start };
    const submitted: Date[] = [];
    for (let part = 1; part <= 3; part += 1) {
      const due = dueFires(timetable, now);
      submitted.push(...due.submit);
      if (part < 3) expect(due.next <= now).toBe(true);
      timetable = { ...timetable, decidedUntil: due.decidedUntil };
    }
    expect(submitted.map(Number)).toEqual(Array.from({ length: 240 }, (_, hour) => +start + (hour + 1) * 3_600_000));
    expect(dueFires(timetable, now).submit).toEqual([]);
  });

  test('of a year of minutes, the newest thousand are recorded as missed', () => {
    const now = new Date('2026-01-01T00:00:30Z');
    const minutely = { ...hourly('latest', '00:00:00', { cron: '* * * * *' }), decidedUntil: new Date('2025-01-01') };
    const due = dueFires(minutely, now);
    expect(due.submit).toEqual([new Date('2026-01-01T00:00:00Z')]);
    expect(due.missed).toHaveLength(1000);
    expect(due.missed.at(-1)).toEqual(new Date('2025-12-31T23:59:00Z'));
    expect(due.more).toBe(true);
    expect(due.decidedUntil).toEqual(now);
  });
});

describe('a clock that jumps', () => {
  test('back fires nothing again, and nothing until it gets past what was decided', () => {
    const due = dueFires(hourly('all', '05:00:00'), at('03:30:00'));
    expect(brief(due)).toEqual({ submit: [], missed: [], until: '05:00:00', next: '06:00:00' });
    expect(dueFires(hourly('latest', '05:00:00'), at('05:00:00')).submit).toEqual([]);
  });

  test('back by seconds across a fire does not repeat it', () => {
    const first = dueFires(hourly('latest', '01:30:00'), at('02:00:03'));
    expect(brief(first).submit).toEqual(['02:00:00']);
    for (const now of ['01:59:58', '02:00:00', '02:00:02', '02:00:04']) {
      expect(dueFires({ ...hourly('latest', '00:00:00'), decidedUntil: first.decidedUntil }, at(now)).submit).toEqual(
        [],
      );
    }
  });
});

test('a paused schedule has nothing due, and a next time', () => {
  expect(brief(dueFires(hourly('all', '02:00:00', { paused: true }), at('05:30:00')))).toEqual({
    submit: [],
    missed: [],
    until: '02:00:00',
    next: '06:00:00',
  });
});

test('the hours of a clock change are caught up by the same rule', () => {
  const nightly = { cron: '30 2 * * *', timeZone: 'Europe/Berlin', paused: false, catchUp: 'all' } as const;
  const due = dueFires({ ...nightly, decidedUntil: new Date('2025-03-29T12:00Z') }, new Date('2025-03-31T12:00Z'));
  expect(due.submit).toEqual([new Date('2025-03-30T01:00Z'), new Date('2025-03-31T00:30Z')]);
});

test('a broken expression or zone is an error, not silence', () => {
  expect(caught(() => dueFires(hourly('all', '02:00:00', { cron: '61 * * * *' }), at('05:30:00'))).code).toBe(
    'schedule_cron_invalid',
  );
  expect(caught(() => dueFires(hourly('all', '02:00:00', { timeZone: 'Mars' }), at('05:30:00'))).code).toBe(
    'schedule_time_zone_unknown',
  );
});
