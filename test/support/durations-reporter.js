import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const FOLDER = fileURLToPath(new URL('..', import.meta.url));
const FILE = fileURLToPath(new URL('../durations.json', import.meta.url));
/** Shorter files fill the gaps in any order. */
const LEAST_SECONDS = 5;

/** The seconds that each test file took, by its path in test/. */
export function knownDurations() {
  return JSON.parse(readFileSync(FILE, 'utf8'));
}

/** A file's key in the durations. */
export function nameOf(path) {
  return relative(FOLDER, path);
}

/** With PGSCORE_TEST_DURATIONS set, keeps how long each file took; by that longest-first.js orders the next run. */
export default class DurationsReporter {
  onRunComplete(_contexts, { testResults }) {
    if (process.env.PGSCORE_TEST_DURATIONS === undefined) return;
    const took = testResults.map(({ testFilePath, perfStats }) => [
      nameOf(testFilePath),
      Math.round(perfStats.runtime / 1000),
    ]);
    const durations = Object.entries({ ...knownDurations(), ...Object.fromEntries(took) })
      .filter(([name, seconds]) => seconds >= LEAST_SECONDS && existsSync(FOLDER + name))
      .toSorted(([, left], [, right]) => right - left);
    writeFileSync(FILE, `${JSON.stringify(Object.fromEntries(durations), null, 2)}\n`);
  }
}
