import { appendFileSync, writeSync } from 'node:fs';

/**
 * Says the result in one plain last line, `12 passed, 0 failed, 1 skipped`, for readers that do not know Jest. With
 * PGSCORE_TEST_TALLY set, the line goes to that file instead, for whoever adds up several runs.
 */
export default class ClosingLineReporter {
  onRunComplete(_contexts, results) {
    // A file that could not be loaded has no failed test to its name.
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    const skipped = results.numPendingTests + results.numTodoTests;
    const line = `${results.numPassedTests} passed, ${failed} failed, ${skipped} skipped\n`;
    const tally = process.env.PGSCORE_TEST_TALLY;
    // Jest's own summary is printed after every other reporter.
    if (tally === undefined) process.once('exit', () => writeSync(1, line));
    else appendFileSync(tally, line);
  }
}
