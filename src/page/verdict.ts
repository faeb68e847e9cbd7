import { modelLink } from './address.ts';
import { text, type Row, ask } from './api.ts';
import { el } from './dom.ts';
import { day } from './format.ts';
import { panel, type Panel } from './panel.ts';

const TONES: Readonly<Record<string, string>> = { act: 'bad', watch: 'warn', unknown: 'plain', healthy: 'good' };

const SUMMARY = [
  ['act', 'to act on'],
  ['watch', 'to watch'],
  ['unknown', 'unknown'],
  ['healthy', 'healthy'],
] as const;

export function verdictChip(verdict: string): HTMLElement {
  return el('span', { class: `chip ${TONES[verdict] ?? 'plain'}` }, verdict);
}

const COMPARISON_TONES: Readonly<Record<string, string>> = { better: 'good', worse: 'bad', sample_ratio: 'warn' };

/** How two versions compare; `words`: what is shown in place of the verdict. */
export function comparisonChip(verdict: string, words = verdict): HTMLElement {
  return el('span', { class: `chip ${COMPARISON_TONES[verdict] ?? 'plain'}` }, words.replaceAll('_', ' '));
}

/** How many models have each verdict. */
export function verdictSummary(verdicts: readonly Row[]): HTMLElement {
  const counts = SUMMARY.map(([verdict, words]) => {
    const n = verdicts.filter((row) => row['verdict'] === verdict).length;
    return n > 0 && el('span', { class: `chip ${TONES[verdict] ?? ''}` }, `${n} ${words}`);
  });
  return el('p', { class: 'chips summary' }, ...counts);
}

/** The cards of more models than these are not all in sight. */
const CARDS_IN_SIGHT = 3;

/** Of many models those that need somebody, a line each: which, and why. */
export function needsList(verdicts: readonly Row[]): HTMLElement[] {
  const needy = verdicts.filter((row) => row['verdict'] === 'act' || row['verdict'] === 'watch');
  if (verdicts.length <= CARDS_IN_SIGHT || needy.length === 0) return [];
  const lines = needy.map((row) => {
    const name = text(row, 'model_name');
    return el(
      'li',
      {},
      verdictChip(text(row, 'verdict')),
      el('a', { href: modelLink(name) }, name),
      text(row, 'sentence'),
    );
  });
  return [el('ul', { class: 'needs', 'aria-label': 'Models that need you' }, ...lines)];
}

/** What a verdict's sentence leaves open: the other causes, and the feature that moved. */
export function furtherCauses(row: Row): [name: string, value: string][] {
  const others = text(row, 'causes')
    .split(', ')
    .filter((cause) => cause !== '' && cause !== row['cause']);
  const feature = text(row, 'feature_name');
  const segment = text(row, 'segment_value');
  return [
    ...(others.length > 0 ? [['Also', others.join(', ').replaceAll('_', ' ')] as [string, string]] : []),
    ...(text(row, 'segment_key') === ''
      ? []
      : [['Lost most', `${text(row, 'segment_key')} ${segment}`] as [string, string]]),
    ...(feature === ''
      ? []
      : [['Drifted most', `${feature}, since ${day(text(row, 'feature_since'))}`] as [string, string]]),
  ];
}

/** Whether a model needs somebody, and why. Not shown of a model that is not there. */
export const verdictPanel = (model: string): Panel<undefined> =>
  panel<undefined, Row>({
    id: 'verdict',
    title: 'Verdict',
    depends: () => null,
    load: async () => (await ask('verdicts')).find((row) => row['model_name'] === model),
    draw: (body, row) => {
      body.add(el('p', {}, verdictChip(text(row, 'verdict')), ` ${text(row, 'sentence')}`));
      const more = furtherCauses(row);
      if (more.length > 0) body.say(`${more.map(([name, value]) => `${name}: ${value}`).join(' · ')}.`);
    },
  });
