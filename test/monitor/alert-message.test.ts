import { expect, test } from '@jest/globals';
import { type AlertEvent, alertMessage, signature } from '../../src/monitor/alerts.ts';

const DRIFT: AlertEvent = {
  event_id: '7',
  attempts: 1,
  fingerprint: '0123456789abcdef',
  model: 'churn',
  version: 3,
  alert: 'feature_drift',
  metric: 'psi',
  grain: 'day',
  column_name: 'age',
  kind: 'drift',
  severity: 'info',
  event: 'firing',
  reason: null,
  at: new Date('2026-03-04T06:00:00Z'),
  began_at: new Date('2026-03-04T06:00:00Z'),
  window_start: new Date('2026-03-03T00:00:00Z'),
  window_end: new Date('2026-03-04T00:00:00Z'),
  value: 0.312345,
  n: '1000',
  lower_threshold: null,
  upper_threshold: 0.2,
  is_digest: true,
  message: 'feature_drift of churn@3 is firing: psi of age was 0.3123 on 2026-03-03, above 0.2.',
};

test('a digest is one group, whatever the models, with the labels that its alerts have in common', () => {
  const other: AlertEvent = { ...DRIFT, event_id: '8', model: 'fraud', event: 'resolved', reason: 'recovered' };
  expect(alertMessage([DRIFT, other])).toMatchObject({
    groupKey: '{}:{kind="drift"}',
    groupLabels: { kind: 'drift' },
    status: 'firing',
    commonLabels: { alertname: 'feature_drift', version: '3', column: 'age' },
    alerts: [{ status: 'firing' }, { status: 'resolved', endsAt: '2026-03-04T06:00:00.000Z' }],
  });
  expect(alertMessage([DRIFT, other]).commonLabels).not.toHaveProperty('model');
});

test('an alert about drift is the same one whether a day or a week says so, and any other is about its grain', () => {
  const labels = (change: Partial<AlertEvent>) => alertMessage([{ ...DRIFT, ...change }]).alerts[0]?.labels;
  expect(labels({ grain: 'week' })).toEqual(labels({ grain: 'day' }));
  expect(alertMessage([{ ...DRIFT, grain: 'week' }]).alerts[0]?.annotations['grain']).toBe('week');
  expect(labels({ kind: 'performance', grain: 'week' })).toMatchObject({ grain: 'week' });
});

test('one about a watch names its target', () => {
  const late: AlertEvent = { ...DRIFT, kind: 'watch', column_name: 'public.churn_live', is_digest: false };
  const labels = alertMessage([late]).alerts[0]?.labels;
  expect(labels).toMatchObject({ target: 'public.churn_live' });
  expect(labels).not.toHaveProperty('column');
});

test('its summary is the sentence that the views have', () => {
  expect(alertMessage([DRIFT]).alerts[0]?.annotations['summary']).toBe(DRIFT.message);
});

test('the signature is what openssl computes of the same', () => {
  // printf '1764082800.{"a":1}' | openssl dgst -sha256 -hmac key
  const expected = '177f26e5a75ba6dff922559cfee577cdf91fd7a6d2b9b1c2f69fa1e735ac48bc';
  expect(signature('key', 1_764_082_800, '{"a":1}')).toBe(`t=1764082800,v1=${expected}`);
});
