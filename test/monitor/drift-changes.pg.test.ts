import { readFileSync } from 'node:fs';

import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { stageFeatures, type StagedFeature } from './golden/staged-features.ts';

type Values = Record<string, number | null>;
type Case = Omit<StagedFeature, 'windows'> & { window: number[]; values: Values };
type Row = Record<string, number | string | null>;

const { cases } = JSON.parse(readFileSync(new URL('golden/drift.json', import.meta.url), 'utf8')) as { cases: Case[] };

const database = await cloneDatabase();
const superuser = await database.client();

/** What was the baseline is the window before; the baseline itself is of something else. */
await stageFeatures(
  superuser,
  'steps',
  cases.map((golden) => ({
    ...golden,
    baseline: golden.baseline.map((_, slot) => slot),
    windows: { '2026-02-10 00:00+00': golden.baseline, '2026-03-10 00:00+00': golden.window },
  })),
);

async function shown(grain: string): Promise<Row[]> {
  const all = `select * from pgscore_bi.feature_change_${grain} where model_name = 'steps' order by window_date, feature_name`;
  return (await superuser.query<Row>(all)).rows;
}

function apart(found: unknown, wanted: number | null): number {
  if (found === null || wanted === null) return found === wanted ? 0 : Number.POSITIVE_INFINITY;
  return Math.abs(Number(found) - wanted) / Math.max(Math.abs(wanted), 1e-3);
}

test.each(['daily', 'weekly', 'monthly'])(
  '%s changes are the distances of scipy from the window before',
  async (grain) => {
    const rows = (await shown(grain)).slice(cases.length);
    const wrong = rows.flatMap((row) => {
      const values = cases.find(({ name }) => name === row['feature_name'])?.values ?? {};
      return Object.entries(values)
        .filter(([metric, wanted]) => metric in row && apart(row[metric], wanted) > 1e-12)
        .map(([metric, wanted]) => [row['feature_name'], metric, row[metric], wanted]);
    });
    expect(wrong).toEqual([]);
    expect(rows).toHaveLength(cases.length);
    expect(new Set(rows.map(({ comparison }) => comparison))).toEqual(new Set(['CONSECUTIVE']));
  },
);

test('the first window has nothing before it, and says so', async () => {
  const first = (await shown('daily')).slice(0, cases.length);
  expect(new Set(first.map(({ psi, status, undefined_reason: reason }) => [psi, status, reason].join(' ')))).toEqual(
    new Set([' insufficient_data no_window_before']),
  );
});
