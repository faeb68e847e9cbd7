import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, expect, test } from '@jest/globals';

import { dataFolder } from '../support/data-folder.ts';
import { waitFor } from '../support/wait-for.ts';
import { runCli, type Said } from './run-cli.ts';

const folder = await mkdtemp(join(await dataFolder(), 'pgscore-demo-'));
await chmod(folder, 0o755);
afterAll(() => rm(folder, { recursive: true }));

/** What ana is told who stops the experiment, by herself and as dana. */
const stopped: Said[] = [];

const { exit, stdout, stderr } = await runCli(['demo', '--data-dir', join(folder, 'data')], {
  interruptAt: 'Stop with Ctrl-C.',
  beforeInterrupt: numbersMove,
});

/** Waits until new flights were scored, more of them a moment later, and some judged by their truth, as the page shows it. */
async function numbersMove(said: string): Promise<void> {
  const [, page] = /See the numbers move: (http:\/\/[^/]+)/.exec(said) ?? [];
  const ask = async (question: string): Promise<Record<string, unknown>[]> => {
    const answer = await fetch(`${page}/page/api/${question}`);
    const { columns, rows } = (await answer.json()) as { columns: string[]; rows: unknown[][] };
    return rows.map((row) => Object.fromEntries(row.map((value, at) => [columns[at], value])));
  };
  const scored = async (): Promise<number> => Number((await ask('watches'))[0]?.['rows_scored']);
  const passes = async (limit: number): Promise<void> => {
    await waitFor(async () => (await scored()) > limit, { message: `more than ${limit} rows`, timeout: 60_000 });
  };
  await passes(32_735);
  await passes(await scored());
  const judged = async (): Promise<boolean> => {
    const rows = await ask('performance-binary-month?model=arrival_delay&versions=1');
    return Number(rows.find((row) => row['window_date'] === '2014-01-01')?.['n_labeled']) > 0;
  };
  await waitFor(judged, { message: 'the truth of new flights', timeout: 60_000 });
  for (const role of ['ana', 'dana']) {
    const sql = `set role ${role}; select pgscore.stop_experiment('air_time') as champion`;
    stopped.push(await runCli(['sql', '--data-dir', join(folder, 'data'), '-c', sql]));
  }
}

/** The months of a table that the demo prints, by the heads of its columns. */
function months(...heads: readonly string[]): Record<string, number>[] {
  const lines = stderr.split('\n');
  const cells = (line: string): string[] => line.split('|').map((cell) => cell.trim());
  const top = lines.findIndex((line) => heads.every((head) => cells(line).includes(head)));
  const names = cells(lines[top] ?? '');
  const rows = lines.slice(top + 2, top + 14).map(cells);
  expect(rows.map(([month]) => month)).toEqual(
    Array.from({ length: 12 }, (_, month) => `2013-${String(month + 1).padStart(2, '0')}-01`),
  );
  return rows.map((row) => Object.fromEntries(heads.map((head) => [head, Number(row[names.indexOf(head)])])));
}

const column = (rows: readonly Record<string, number>[], head: string): number[] =>
  rows.map((row) => row[head] ?? Number.NaN);

test('the demo ends well at Ctrl-C, with what it scored; until then flights come, and the numbers of the page move', () => {
  expect([exit, stdout]).toEqual([0, expect.stringMatching(/rows scored +32735\n/)]);
});

test('ana becomes the deployer by set role, as the demo says', () => {
  expect(stderr).toContain('set role dana; makes you the deployer');
  const [byAna, byDana] = stopped;
  expect(byAna).toMatchObject({ exit: 1, stderr: expect.stringContaining('deployer') });
  expect(byDana).toMatchObject({ exit: 0, stdout: expect.stringContaining('air_time@1') });
});

test('what learned from January decays in summer and comes back, what learned from spring holds', () => {
  const rows = months('january_model', 'spring_model');
  const january = column(rows, 'january_model');
  expect(january[0]).toBeCloseTo(7.5, 1);
  expect(Math.max(...january)).toBeCloseTo(17.1, 1);
  expect(january.indexOf(Math.max(...january))).toBe(8);
  expect(january[11]).toBeCloseTo(8.5, 1);
  for (const summer of column(rows, 'spring_model').slice(4, 10)) {
    expect(summer).toBeGreaterThan(6.9);
    expect(summer).toBeLessThan(8.4);
  }
});

test('the accuracy of the delay model follows how many flights were late, and its ranking does not; three more nights move neither', () => {
  const rows = months('positive_rate_actual', 'accuracy', 'roc_auc');
  const [late, accuracy, auc] = ['positive_rate_actual', 'accuracy', 'roc_auc'].map((head) => column(rows, head));
  expect([late?.[6], late?.[8]]).toEqual([expect.closeTo(0.32, 2), expect.closeTo(0.13, 2)]);
  expect([accuracy?.[6], accuracy?.[8]]).toEqual([expect.closeTo(0.69, 2), expect.closeTo(0.87, 2)]);
  const nights = months('n_predictions', 'n_labeled', 'n_superseded', 'label_coverage', 'accuracy');
  expect(column(nights, 'accuracy')).toEqual(accuracy);
  expect(column(nights, 'label_coverage')).toEqual(Array.from({ length: 12 }, () => 1));
  expect(column(nights, 'n_superseded')).toEqual(column(nights, 'n_labeled').map((n) => 3 * n));
  const [least, most] = [Math.min(...(auc ?? [])), Math.max(...(auc ?? []))];
  expect([least > 0.64, most < 0.71]).toEqual([true, true]);
  expect(column(months('label_coverage', 'accuracy'), 'label_coverage')).toEqual(Array.from({ length: 12 }, () => 1));
});

/** The first row of a table that the demo prints below a statement, by heads of its columns; of the last such statement. */
function printed(statement: string, row = 0): Record<string, string> {
  const lines = stderr.split('\n');
  const at = lines.findLastIndex((line) => line.includes(statement));
  const rule = lines.findIndex((line, number) => number > at && /^-+(\+-+)*$/.test(line));
  const cells = (line: string | undefined): string[] => (line ?? '').split('|').map((cell) => cell.trim());
  const values = cells(lines[rule + 1 + row]);
  return Object.fromEntries(cells(lines[rule - 1]).map((head, number) => [head, values[number] ?? '']));
}

test('a replay says that spring would have been better after its training, and a gate refuses it in winter', () => {
  expect(printed('version_comparison')).toMatchObject({ verdict: 'better', in_training: 'left_out', metric: 'mae' });
  const checks = [...stderr.matchAll(/^ (true|false) +\|.*\| mae is .*$/gm)].map(([line, passed]) => [passed, line]);
  expect(checks).toEqual([
    ['true', expect.stringMatching(/mae is 8\.7\d*, that of air_time@1 13\.0\d*, by a replay \(run \d+\), /)],
    [
      'false',
      expect.stringMatching(
        /mae is 10\.6\d*, that of air_time@1 8\.5\d*, by labels that judge both, .*: 2\.0\d* worse/,
      ),
    ],
    ['true', expect.stringMatching(/mae is 7\.\d+ lower than that of air_time@1, by the arms of experiment 1, /)],
  ]);
  expect(stderr).toMatch(
    /=> select pgscore\.promote\('air_time@2'\);\nERROR: {2}version "air_time@2" does not pass the gates of its model: not_worse_mae\nDETAIL: {2}not_worse_mae: mae is 10\.6/,
  );
});

test('a canary in summer is better, by an interval that narrows as flights land', () => {
  const statement = 'from pgscore_bi.experiment_results where';
  const [champion, canary] = [printed(statement), printed(statement, 1)];
  expect(Number(champion['entities']) + Number(canary['entities'])).toBe(2830);
  expect(Number(canary['entities']) / 2830).toBeCloseTo(0.2, 1);
  expect([Number(champion['value']), Number(canary['value'])]).toEqual([
    expect.closeTo(16.5, 0),
    expect.closeTo(8.4, 0),
  ]);
  expect(canary).toMatchObject({ verdict: 'better', is_champion: 'false' });
  expect(Number(canary['srm_p_value'])).toBeGreaterThan(0.001);
  const widths = Array.from({ length: 8 }, (_, row) => printed('from pgscore_bi.experiment_results_daily', row)).map(
    (day) => Number(day['always_valid_high']) - Number(day['always_valid_low']),
  );
  expect(widths.every((width) => width > 0)).toBe(true);
  expect((widths[0] ?? 0) > 2 * (widths[7] ?? 0)).toBe(true);
});
