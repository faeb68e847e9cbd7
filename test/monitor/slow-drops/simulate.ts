// How often a rule without a threshold raises an alert where nothing changed, and within 30 windows of a lasting change.
//
//   node --import ./test/support/register-typescript.js test/monitor/slow-drops/simulate.ts > test/monitor/slow-drops/results.md
import { aucWindow, errorWindow, Random, shareWindow } from './random.ts';
import { SETTINGS, watch, type Metric, type Settings, type Window } from './watch.ts';

const HISTORIES = 300;
const REFERENCE = 30;
const QUIET = 230;
const WITHIN = 30;

type Make = (random: Random, window: number) => Window;

/** Alerts in 200 windows where nothing changes, from the eighth on: the usual value is still being learnt then. */
function falseAlarms(make: Make, metric: Metric, settings: Settings): number {
  let alarms = 0;
  for (let history = 0; history < HISTORIES; history += 1) {
    const random = new Random(1000 + history);
    const windows = Array.from({ length: QUIET }, (_, at) => make(random, at));
    alarms += watch(windows, metric, settings).filter(({ event }) => event === 'firing').length;
  }
  return (alarms / HISTORIES) * (200 / (QUIET - 7));
}

/** Share of lasting changes after `from` windows that are raised within 30, and after how many at the median. */
function power(make: Make, changed: Make, metric: Metric, settings: Settings, from = REFERENCE): [number, number] {
  const delays: number[] = [];
  for (let history = 0; history < HISTORIES; history += 1) {
    const random = new Random(500_000 + history);
    const windows = Array.from({ length: from + WITHIN }, (_, at) => (at < from ? make : changed)(random, at));
    const raised = watch(windows, metric, settings).find(({ at, event }) => event === 'firing' && at >= from);
    if (raised !== undefined) delays.push(raised.at - from + 1);
  }
  delays.sort((one, other) => one - other);
  return [delays.length / HISTORIES, delays[Math.floor(delays.length / 2)] ?? Number.NaN];
}

function print(...cells: readonly (string | number)[]): void {
  console.log(`| ${cells.join(' | ')} |`);
}

function head(title: string, ...names: readonly string[]): void {
  console.log(`\n## ${title}\n`);
  print(...names);
  print(...names.map(() => '---'));
}

const percent = ([share, delay]: readonly [number, number]): string =>
  share === 0 ? '0 %' : `${Math.round(share * 100)} % (${delay})`;

/** Accuracies of days that vary by chance, and by a standard deviation of their own. */
const share =
  (n: number, probability: number, ofDays = 0): Make =>
  (random) =>
    shareWindow(random, n, probability + (ofDays === 0 ? 0 : ofDays * random.normal()));

function ofShares(settings: Settings, from = REFERENCE): void {
  for (const usual of [0.6, 0.7, 0.8, 0.87, 0.9, 0.95, 0.97, 0.99])
    for (const n of [30, 50, 100, 168, 200, 500, 2000]) {
      const quiet = share(n, usual);
      const drops = [0.02, 0.05, 0.1].map((drop) => power(quiet, share(n, usual - drop), 'share', settings, from));
      print(usual, n, falseAlarms(quiet, 'share', settings).toFixed(2), ...drops.map(percent));
    }
}

const COLUMNS = ['accuracy', 'labels a window', 'false alarms in 200', '2 points', '5 points', '10 points'];

console.log(`# Slow drops

${HISTORIES} histories a row, made by simulate.ts. Of drops: the share raised within ${WITHIN} windows, and the median delay in windows.`);
head('As the rule is: 30 windows known before the drop', ...COLUMNS);
ofShares(SETTINGS);
head('10 windows known before the drop', ...COLUMNS);
ofShares(SETTINGS, 10);
head('Days that differ by more than chance', 'standard deviation of days', ...COLUMNS);
for (const ofDays of [0.01, 0.02, 0.04])
  for (const [usual, n] of [
    [0.8, 50],
    [0.87, 200],
    [0.95, 200],
    [0.87, 2000],
  ] as const) {
    const quiet = share(n, usual, ofDays);
    const drops = [0.02, 0.05, 0.1].map((drop) => power(quiet, share(n, usual - drop, ofDays), 'share', SETTINGS));
    print(ofDays, usual, n, falseAlarms(quiet, 'share', SETTINGS).toFixed(2), ...drops.map(percent));
  }
head('Weekends that are five points worse', ...COLUMNS);
for (const [usual, n] of [
  [0.8, 50],
  [0.87, 200],
  [0.87, 2000],
] as const) {
  const weekly =
    (drop: number): Make =>
    (random, at) =>
      shareWindow(random, n, usual - drop - (at % 7 >= 5 ? 0.05 : 0));
  const drops = [0.02, 0.05, 0.1].map((drop) => power(weekly(0), weekly(drop), 'share', SETTINGS));
  print(usual, n, falseAlarms(weekly(0), 'share', SETTINGS).toFixed(2), ...drops.map(percent));
}
head('Mean absolute error', 'errors', 'labels a window', 'interval', 'false alarms in 200', 'a tenth', 'a fifth');
for (const isHeavy of [false, true])
  for (const n of [30, 50, 200])
    for (const hasInterval of [true, false]) {
      const error =
        (scale: number): Make =>
        (random) => {
          const { low, high, ...window } = errorWindow(random, n, scale, isHeavy);
          return hasInterval ? { ...window, low, high } : window;
        };
      const rises = [1.1, 1.2].map((rise) => power(error(1), error(rise), 'error', SETTINGS));
      const name = isHeavy ? 'lognormal' : 'half-normal';
      print(
        name,
        n,
        hasInterval ? 'yes' : 'no',
        falseAlarms(error(1), 'error', SETTINGS).toFixed(2),
        ...rises.map(percent),
      );
    }
head('ROC AUC, one label in five positive', 'area', 'labels a window', 'false alarms in 200', '5 points', '10 points');
for (const usual of [0.7, 0.8, 0.9])
  for (const n of [50, 200, 500]) {
    const area =
      (value: number): Make =>
      (random) =>
        aucWindow(random, n, value);
    const drops = [0.05, 0.1].map((drop) => power(area(usual), area(usual - drop), 'share', SETTINGS));
    print(usual, n, falseAlarms(area(usual), 'share', SETTINGS).toFixed(2), ...drops.map(percent));
  }
head(
  'Other constants, at 200 labels and an accuracy of 0.8',
  'limit',
  'least windows',
  'forgiven',
  'false alarms in 200',
  '5 points',
  'after 10 windows',
);
for (const limit of [3, 4, 5, 6, 8])
  for (const least of [1, 3])
    for (const forgiven of [0, 1, 2]) {
      const settings = { ...SETTINGS, limit, least, forgiven };
      const quiet = share(200, 0.8);
      const found = [REFERENCE, 10].map((from) => power(quiet, share(200, 0.75), 'share', settings, from));
      print(limit, least, forgiven, falseAlarms(quiet, 'share', settings).toFixed(2), ...found.map(percent));
    }
