import { number, text, type Row } from './api.ts';
import { modelLink } from './address.ts';
import { toneOf } from './alerts-panel.ts';
import { el } from './dom.ts';
import { ago, count, day, decimal, NOTHING, percent } from './format.ts';
import { sparkline } from './sparkline.ts';

export type ModelHealth = {
  /** The champion's, else the newest version's. */
  readonly health: Row;
  readonly versions: number;
  /** Month by month, the oldest first. */
  readonly trend: readonly Row[];
  readonly alerts: readonly Row[];
};

const NAMES: Readonly<Record<string, string>> = { accuracy: 'accuracy', mae: 'mean absolute error' };

/** How one model is, in a card. */
export function modelCard({ health, versions, trend, alerts }: ModelHealth): HTMLElement {
  const name = text(health, 'model_name');
  return el(
    'article',
    { class: 'card model' },
    el('div', { class: 'model-head' }, el('h2', {}, el('a', { href: modelLink(name) }, name)), el('span', { class: 'chip plain' }, text(health, 'task'))),
    headline(health),
    ...(trend.length > 1 ? [sparkline(trend, trendOf(health, trend))] : []),
    facts(health, versions, alerts),
  );
}

function headline(health: Row): HTMLElement {
  const value = number(health, 'value');
  const share = health['metric'] === 'accuracy';
  const write = (one: number | null): string => (share ? percent(one) : decimal(one));
  if (value === null) return el('p', { class: 'quiet' }, 'No month with enough labels yet.');
  return el(
    'div',
    {},
    el('p', { class: 'model-value' }, el('span', { class: 'big num' }, write(value)), change(health, write)),
    el(
      'p',
      { class: 'quiet' },
      `${NAMES[text(health, 'metric')] ?? ''} in ${day(text(health, 'latest_window'), true)}, ${write(number(health, 'ci_low'))} to ${write(number(health, 'ci_high'))}`,
    ),
  );
}

/** Against the month before: better or worse only where the intervals leave no doubt. */
function change(health: Row, write: (value: number | null) => string): HTMLElement | undefined {
  const [before, low, high, by] = ['value_before', 'ci_low', 'ci_high', 'change'].map((column) => number(health, column));
  if (before === null || before === undefined || by === null || by === undefined) return undefined;
  const beyond = (low ?? before) > before || (high ?? before) < before;
  const better = health['metric'] === 'mae' ? by < 0 : by > 0;
  const tone = !beyond ? 'plain' : better ? 'good' : 'bad';
  return el('span', { class: `chip ${tone}` }, `${by > 0 ? '+' : '−'}${write(Math.abs(by))} on the month before`);
}

function trendOf(health: Row, trend: readonly Row[]): string {
  const [first, last] = [trend[0], trend.at(-1)];
  return `${NAMES[text(health, 'metric')] ?? 'metric'} from ${day(text(first, 'window_date'), true)} to ${day(text(last, 'window_date'), true)}`;
}

function facts(health: Row, versions: number, alerts: readonly Row[]): HTMLElement {
  const coverage = number(health, 'label_coverage');
  const source = text(health, 'label_source');
  const lines: [string, string | Node][] = [
    ['Version', `${text(health, 'model_version')}${health['is_champion'] === true ? ', champion' : ''} of ${versions}`],
    ['Last scored', ago(text(health, 'last_scored_at') || null)],
    ['Predictions', count(number(health, 'n_predictions'))],
    ['Truth known', source === '' && coverage === 0 ? 'no source of labels' : percent(coverage)],
    ['Ranking (ROC AUC)', decimal(number(health, 'roc_auc_now'))],
    ['Alerts', alerts.length === 0 ? NOTHING : el('span', { class: `chip ${toneOf(text(alerts[0], 'state'))}` }, String(alerts.length))],
  ];
  const shown = lines.filter(([, value]) => value !== NOTHING);
  return el('dl', { class: 'facts' }, ...shown.flatMap(([name, value]) => [el('dt', {}, name), el('dd', {}, value)]));
}
