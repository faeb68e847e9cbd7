import { number, text } from './api.ts';
import { el } from './dom.ts';
import { ago, compact, percent } from './format.ts';
import type { ModelContext } from './model-context.ts';

/** The head of a model's page. */
export function modelFacts({ model, task, champion, focus, health }: ModelContext): HTMLElement[] {
  const source = text(health, 'label_source');
  const waiting = number(health, 'n_waiting') ?? 0;
  const facts = [
    champion === undefined ? 'no champion' : `champion is version ${champion}`,
    `version ${focus}: ${compact(number(health, 'n_predictions'))} predictions, ${knownOf(number(health, 'label_coverage'))}`,
    `last scored ${ago(text(health, 'last_scored_at') || null)}`,
    source === '' ? 'no source of labels' : `labels from ${source}`,
    ...(waiting > 0 ? [`${compact(waiting)} labels waiting`] : []),
  ];
  return [
    el('p', { class: 'quiet' }, el('a', { href: '#/' }, 'All models')),
    el('h1', {}, model, ' ', el('span', { class: 'chip plain' }, task)),
    el('p', { class: 'quiet' }, facts.join(' · ')),
  ];
}

/** NULL where later predictions stand in the place of all that have no label. */
function knownOf(coverage: number | null): string {
  return coverage === null ? 'none to judge' : `truth known of ${percent(coverage)}`;
}
