import Sequencer from '@jest/test-sequencer';

import { knownDurations, nameOf } from './durations-reporter.js';

/** Jest's order where it remembers a run, else the longest files first by test/durations.json: a long one at the end would run alone. */
export default class extends Sequencer {
  sort(tests) {
    const sorted = super.sort(tests);
    if (sorted.some(({ duration }) => duration !== undefined)) return sorted;
    const durations = knownDurations();
    const secondsOf = ({ path }) => durations[nameOf(path)] ?? 0;
    return sorted.toSorted((left, right) => secondsOf(right) - secondsOf(left));
  }
}
