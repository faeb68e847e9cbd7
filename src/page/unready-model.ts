import { ask, text } from './api.ts';
import { el } from './dom.ts';
import { DEPLOY_HINT } from './tooltip.ts';

/** What there is to say about a model that has no version to score with. */
export async function unreadyModel(model: string): Promise<HTMLElement[]> {
  const versions = (await ask('versions')).filter((row) => row['model_name'] === model);
  if (versions.length === 0)
    return [el('p', { class: 'empty' }, 'There is no model of this name.'), el('pre', {}, DEPLOY_HINT)];
  return versions.map((row) => {
    const state = text(row, 'state');
    const tone = state === 'rejected' ? 'bad' : 'plain';
    return el(
      'p',
      {},
      `Version ${text(row, 'model_version')} `,
      el('span', { class: `chip ${tone}` }, state),
      ` ${text(row, 'reason')} ${text(row, 'remedy')}`,
    );
  });
}
