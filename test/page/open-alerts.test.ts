import { expect, test } from '@jest/globals';

import { openAlertsIn } from '../../src/page/open-alerts.ts';

const NOW = Date.parse('2026-03-10T00:00:00Z');
const at = (day: number): string => `2026-03-0${day}T06:00:00Z`;
const time = (day: number): number => Date.parse(at(day));
const event = (day: number, kind: string, alert: string, column: string | null = null) => ({
  event_at: at(day),
  event: kind,
  alert,
  column_name: column,
});

test('an alert is raised from its first event to the one that resolves it, or until now', () => {
  const newestFirst = [
    event(6, 'firing', 'low'),
    event(5, 'resolved', 'low'),
    event(4, 'reminder', 'low'),
    event(3, 'no_data', 'stopped'),
    event(3, 'firing', 'low'),
  ];
  expect(openAlertsIn(newestFirst, NOW)).toEqual([
    { alert: 'low', from: time(3), to: time(5), ended: true },
    { alert: 'stopped', from: time(3), to: NOW, ended: false },
    { alert: 'low', from: time(6), to: NOW, ended: false },
  ]);
});

test('each feature is raised by itself, and what was raised before all that is known is left out', () => {
  const events = [
    event(1, 'resolved', 'drift', 'a'),
    event(2, 'firing', 'drift', 'a'),
    event(3, 'firing', 'drift', 'b'),
    event(4, 'resolved', 'drift', 'b'),
  ];
  expect(openAlertsIn(events, NOW)).toEqual([
    { alert: 'drift, b', from: time(3), to: time(4), ended: true },
    { alert: 'drift, a', from: time(2), to: NOW, ended: false },
  ]);
});
