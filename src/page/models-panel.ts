import { ask, number, text, type Row } from './api.ts';
import { el } from './dom.ts';
import { DEPLOY_HINT } from './hints.ts';
import { modelCard, type ModelHealth } from './model-card.ts';
import { modelLink } from './address.ts';
import { panel, type Panel } from './panel.ts';

type Data = { readonly models: readonly ModelHealth[]; readonly unready: readonly Row[] };

/** The health of every model, in one look. */
export const modelsPanel = (): Panel<undefined> =>
  panel<undefined, Data>({
    id: 'models',
    title: 'Models',
    bare: true,
    load: async () => {
      const [health, trend, versions] = await Promise.all([ask('health'), ask('trend'), ask('versions')]);
      const ready = new Set(health.map((row) => text(row, 'model_name')));
      const models = [...ready].map((name) => healthOf(name, health, trend));
      return { models, unready: newest(versions.filter((row) => !ready.has(text(row, 'model_name')))) };
    },
    draw: (sheet, { models, unready }) => {
      if (models.length + unready.length === 0) return sheet.empty('No model yet. Deploy one:', DEPLOY_HINT);
      sheet.add(el('div', { class: 'models' }, ...models.map(modelCard), ...unready.map(unreadyCard)));
    },
  });

function healthOf(name: string, health: readonly Row[], trend: readonly Row[]): ModelHealth {
  const mine = health.filter((row) => row['model_name'] === name);
  const shown = mine.find((row) => row['is_champion'] === true) ?? mine[0] ?? {};
  return {
    health: shown,
    versions: mine.length,
    trend: trend
      .filter((row) => row['model_name'] === name && number(row, 'model_version') === number(shown, 'model_version'))
      .toReversed(),
  };
}

/** Of versions in descending order, the first of each model. */
function newest(versions: readonly Row[]): Row[] {
  return versions.filter((row, at) => text(row, 'model_name') !== text(versions[at - 1], 'model_name'));
}

function unreadyCard(row: Row): HTMLElement {
  const name = text(row, 'model_name');
  const state = text(row, 'state');
  return el(
    'article',
    { class: 'card model' },
    el(
      'div',
      { class: 'model-head' },
      el('h2', {}, el('a', { href: modelLink(name) }, name)),
      el('span', { class: `chip ${state === 'rejected' ? 'bad' : 'plain'}` }, state),
    ),
    el('p', { class: 'quiet' }, `Version ${text(row, 'model_version')}. ${text(row, 'reason')} ${text(row, 'remedy')}`),
  );
}
