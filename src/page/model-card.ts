import { number, text, type Row } from './api.ts';
import { modelLink } from './address.ts';
import { el } from './dom.ts';
import { ago, count, day, decimal, NOTHING, percent } from './format.ts';
import { sparkline } from './sparkline.ts';
import { standingOf, type Standing } from './trend.ts';

export type ModelHealth = {
  /** The champion's, else the newest version's. */
  readonly health: Row;
  readonly versions: number;
  /** Month by month, the oldest first. */
  readonly trend: readonly Row[];
};

type Measure = {
  readonly name: string;
  readonly lowerIsBetter: boolean;
  readonly write: (value: number | null) => string;
  readonly writeChange: (size: number) => string;
};

const ERROR: Measure = { name: 'mean absolute error', lowerIsBetter: true, write: decimal, writeChange: decimal };
const ACCURACY: Measure = {
  name: 'accuracy',
  lowerIsBetter: false,
  write: (value) => percent(value),
  // From 80 % to 60 % is 20 points, and 25 %.
  writeChange: (size) => `${(size * 100).toFixed(1)} points`,
};

/** How one model is, in a card. */
export function modelCard({ health, versions, trend }: ModelHealth): HTMLElement {
  const name = text(health, 'model_name');
  const measure = health['task'] === 'regression' ? ERROR : ACCURACY;
  const standing = standingOf(trend, measure.lowerIsBetter);
  const ends = [trend.at(0), trend.at(-1)].map((row) => day(text(row, 'window_date'), true));
  return el(
    'article',
    { class: 'card model' },
    el(
      'div',
      { class: 'model-head' },
      el('h2', {}, el('a', { href: modelLink(name) }, name)),
      el('span', { class: 'chip plain' }, text(health, 'task')),
    ),
    headline(standing, measure),
    ...(trend.filter((row) => number(row, 'value') !== null).length > 1
      ? [sparkline(trend, `${measure.name} from ${ends.join(' to ')}`)]
      : []),
    facts(health, versions, standing, measure),
  );
}

function headline(standing: Standing | undefined, measure: Measure): HTMLElement {
  if (standing === undefined) return el('p', { class: 'quiet' }, 'No month with enough labels yet.');
  const { now } = standing;
  const [low, high] = [measure.write(number(now, 'ci_low')), measure.write(number(now, 'ci_high'))];
  return el(
    'div',
    {},
    el(
      'p',
      { class: 'model-value' },
      el('span', { class: 'big num' }, measure.write(number(now, 'value'))),
      change(standing, measure),
    ),
    el('p', { class: 'quiet' }, `${measure.name} in ${day(text(now, 'window_date'), true)}, ${low} to ${high}`),
  );
}

/** Against the month before: better or worse only where the interval leaves no doubt. */
function change({ now, before }: Standing, { lowerIsBetter, writeChange }: Measure): HTMLElement | undefined {
  const [then, value] = [number(before, 'value'), number(now, 'value')];
  if (then === null || value === null) return undefined;
  const beyond = (number(now, 'ci_low') ?? then) > then || (number(now, 'ci_high') ?? then) < then;
  const better = lowerIsBetter ? value < then : value > then;
  const tone = !beyond ? 'plain' : better ? 'good' : 'bad';
  return el(
    'span',
    { class: `chip ${tone}` },
    `${value > then ? '+' : '−'}${writeChange(Math.abs(value - then))} in a month`,
  );
}

function facts(health: Row, versions: number, standing: Standing | undefined, measure: Measure): HTMLElement {
  const coverage = number(health, 'label_coverage');
  const extreme = (row: Row | undefined): string =>
    row === undefined ? NOTHING : `${measure.write(number(row, 'value'))} in ${day(text(row, 'window_date'), true)}`;
  const lines: [string, string | Node][] = [
    ['Best month', extreme(standing?.best)],
    ['Worst month', extreme(standing?.worst)],
    [
      'Version',
      `${text(health, 'model_version')}${health['is_champion'] === true ? ' (champion)' : ''} of ${versions}`,
    ],
    ['Predictions', count(number(health, 'n_predictions'))],
    ['Truth known', text(health, 'label_source') === '' && coverage === 0 ? 'no source of labels' : percent(coverage)],
    ['Last scored', ago(text(health, 'last_scored_at') || null)],
    ['Features drifted', percent(number(health, 'drift_share'), 0)],
    ['Alerts', alertsOf(number(health, 'open_alerts'))],
  ];
  const shown = lines.filter(([, value]) => value !== NOTHING);
  return el('dl', { class: 'facts' }, ...shown.flatMap(([name, value]) => [el('dt', {}, name), el('dd', {}, value)]));
}

/** Where alerts are not there to be had, nothing is said of them. */
function alertsOf(open: number | null): string | Node {
  if (open === null) return NOTHING;
  return open === 0 ? 'none' : el('span', { class: 'chip bad' }, String(open));
}
