import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { FastRecord } from './fast-record.ts';
import { DAY_MS, DEFAULTS, type Pairing, type Prediction, type Settings, type Telling } from './record.ts';
import { type Counted, count } from './reference.ts';

const HOUR_MS = DAY_MS / 24;
const PAIRINGS: Pairing[] = ['latest_before_label', 'within', 'first', 'latest', 'all'];

const entity = fc.constantFrom('a', 'b', 'c');
const moment = fc.integer({ min: 0, max: 20 * 24 }).map((hours) => hours * HOUR_MS);

const predictions = fc.uniqueArray(
  fc
    .record({ entity, at: moment, made: moment, score: fc.constantFrom(0.25, 0.75), version: fc.constantFrom(1, 2) })
    .map((made): Prediction => ({ ...made, label: made.score < 0.5 ? 'no' : 'yes' })),
  { maxLength: 30, selector: ({ version, entity: of, made }) => `${version} ${of} ${made}` },
);
const tellings = fc.array(
  fc.record({ entity, knownAt: moment, told: moment, truth: fc.constantFrom('yes', 'no', null) }),
  { maxLength: 12 },
);
const settings = fc
  .record({ pairing: fc.constantFrom(...PAIRINGS), labelDelay: fc.constantFrom(0, DAY_MS, 5 * DAY_MS) })
  .map((given): Settings => ({ ...DEFAULTS, horizon: 3 * DAY_MS, ...given }));

type Given = { readonly predictions: Prediction[]; readonly tellings: Telling[] };

function truthOf(counted: readonly Counted[]) {
  return counted.map(({ version, window, nLabeled, nAwaiting, outcomes, hits }) => [
    [version, window, nLabeled, nAwaiting, hits],
    [...outcomes].toSorted(([a], [b]) => a.localeCompare(b)),
  ]);
}

test('to score the same rows again for the same times changes no number of truth', () => {
  fc.assert(
    fc.property(fc.record({ predictions, tellings }), settings, moment, (record: Given, given, now) => {
      const before = truthOf(count(record, given, 'day', now));
      const known = record.tellings.map(({ knownAt }) => knownAt);
      const after = 1 + Math.max(0, ...known, ...record.predictions.map(({ made }) => made));
      const again = record.predictions.map((each) => ({ ...each, made: each.made + after, score: 0.25, label: 'no' }));
      // Where no label is known the newest stands, and nothing of it is counted.
      const both = { ...record, predictions: [...record.predictions, ...again] };
      expect(truthOf(count(both, given, 'day', now))).toEqual(before);
    }),
  );
});

test('with time alone the coverage of a window only rises, and each prediction stays exactly one of three', () => {
  fc.assert(
    fc.property(fc.record({ predictions, tellings }), settings, moment, moment, (record: Given, given, one, other) => {
      const [sooner, later] = [Math.min(one, other), Math.max(one, other)];
      const after = count(record, given, 'day', later);
      for (const [index, before] of count(record, given, 'day', sooner).entries()) {
        const { nPredictions, nLabeled, nAwaiting, nSuperseded, labelCoverage } = before;
        expect(nLabeled + nAwaiting + nSuperseded).toBe(nPredictions);
        expect(after[index]?.labelCoverage ?? 1).toBeGreaterThanOrEqual(labelCoverage ?? 0);
      }
    }),
  );
});

/** The days whose numbers of truth differ, with their version. */
function changedDays(one: readonly Counted[], other: readonly Counted[]): Set<string> {
  const keyed = (counted: readonly Counted[]): Map<string, string> =>
    new Map(counted.map((each) => [`${each.version} ${each.window}`, JSON.stringify(truthOf([each]))]));
  const [before, after] = [keyed(one), keyed(other)];
  return new Set([...before.keys(), ...after.keys()].filter((key) => before.get(key) !== after.get(key)));
}

test('a label changes only days that it may judge; a prediction its day, and that of the place before it', () => {
  const ordered = settings.filter(({ pairing }) => pairing === 'latest_before_label' || pairing === 'within');
  const added = fc.oneof(
    tellings.map((told): Given => ({ predictions: [], tellings: told.slice(0, 1) })),
    predictions.map((made): Given => ({ predictions: made.slice(0, 1), tellings: [] })),
  );
  fc.assert(
    fc.property(fc.record({ predictions, tellings }), added, ordered, moment, (record: Given, more, given, now) => {
      const within = given.pairing === 'within';
      const allowed = new Set<string>();
      for (const { version, entity: of, at } of record.predictions.concat(more.predictions)) {
        const takes = (until: number): boolean =>
          at <= until &&
          (within
            ? until < at + given.horizon
            : !record.predictions.some((p) => p.version === version && p.entity === of && at < p.at && p.at <= until));
        const mayChange =
          more.tellings.some(({ entity: told, knownAt }) => told === of && takes(knownAt)) ||
          more.predictions.some(
            (p) =>
              p.version === version && p.entity === of && (p.at === at || (!within && at < p.at && takes(p.at - 1))),
          );
        if (mayChange) allowed.add(`${version} ${new Date(at).toISOString().slice(0, 10)}`);
      }
      const both = {
        predictions: [...record.predictions, ...more.predictions],
        tellings: [...record.tellings, ...more.tellings],
      };
      const changed = changedDays(count(record, given, 'day', now), count(both, given, 'day', now));
      expect([...changed].filter((day) => !allowed.has(day))).toEqual([]);
    }),
    { numRuns: 500 },
  );
});

test('a place counts at most once, whatever is known of it', () => {
  fc.assert(
    fc.property(fc.record({ predictions, tellings }), settings, moment, (record: Given, given, now) => {
      const places = new Set(record.predictions.map(({ version, entity: of, at }) => `${version} ${of} ${at}`));
      const labeled = count(record, given, 'day', now).reduce((total, { nLabeled }) => total + nLabeled, 0);
      expect(labeled).toBeLessThanOrEqual(places.size);
    }),
  );
});

test('weeks and months are counted as their days are', () => {
  fc.assert(
    fc.property(fc.record({ predictions, tellings }), settings, moment, (record: Given, given, now) => {
      const total = (grain: 'day' | 'week' | 'month') => {
        const counted = count(record, given, grain, now);
        return ['nPredictions', 'nLabeled', 'nAwaiting', 'nSuperseded', 'hits'].map((name) =>
          counted.reduce((sum, each) => sum + each[name as 'hits'], 0),
        );
      };
      expect(total('week')).toEqual(total('day'));
      expect(total('month')).toEqual(total('day'));
    }),
  );
});

test('the record that counts fast counts what the reference counts', () => {
  fc.assert(
    fc.property(fc.record({ predictions, tellings }), settings, moment, (record: Given, given, now) => {
      const byDefault: Settings = { ...given, pairing: 'latest_before_label', timeZone: 'Europe/Berlin' };
      const fast = new FastRecord();
      for (const prediction of record.predictions) fast.add(prediction);
      for (const telling of record.tellings) fast.tell(telling);
      for (const [grain, counted] of fast.count(byDefault, now))
        expect([grain, counted]).toEqual([grain, count(record, byDefault, grain, now)]);
    }),
    { numRuns: 300 },
  );
});
