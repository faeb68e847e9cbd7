import { alertsPanel } from './alerts-panel.ts';
import { el } from './dom.ts';
import { refreshesPanel, runsPanel, schedulesPanel, watchesPanel } from './operations-panels.ts';
import { type View, panel, type Panel } from './panel.ts';
import { ask, number, text, type Row } from './api.ts';
import { sentences } from './format.ts';
import { DEPLOY_HINT } from './sql-hints.ts';
import { modelCard, type JudgedModel } from './model-card.ts';
import { modelLink } from './address.ts';
import { needsList, verdictSummary } from './verdict.ts';

/** All models, what runs, what is watched or scheduled, and when accuracy was brought up to date. */
export function overview(): View {
  const [watches, runs] = [watchesPanel(), runsPanel()];
  const panels = [modelsPanel(), alertsPanel(), watches, runs, schedulesPanel(), refreshesPanel()];
  return {
    title: 'Models',
    element: el(
      'div',
      { class: 'stack' },
      el('h1', { class: 'unseen' }, 'pgscore'),
      ...panels.map(({ element }) => element),
    ),
    refresh: async () => {
      await Promise.all(panels.map((panel) => panel.refresh(undefined)));
    },
    refreshRuns: () => runs.refresh(undefined),
    refreshWatches: () => watches.refresh(undefined),
    close: () => panels.forEach((panel) => panel.close()),
  };
}

type Data = {
  readonly verdicts: readonly Row[];
  readonly models: readonly (JudgedModel | { readonly unready: Row })[];
};

/** Which models need somebody, and why: those that need it most come first. */
const modelsPanel = (): Panel<undefined> =>
  panel<undefined, Data>({
    id: 'models',
    title: 'Models',
    bare: true,
    load: async () => {
      const [verdicts, health, trend, versions] = await Promise.all([
        ask('verdicts'),
        ask('health'),
        ask('trend'),
        ask('versions'),
      ]);
      const models = verdicts.map((verdict) =>
        text(verdict, 'cause') === 'no_version'
          ? { unready: newestOf(verdict, versions) }
          : judgedModel(verdict, health, trend),
      );
      return { verdicts, models };
    },
    draw: (body, { verdicts, models }) => {
      if (models.length === 0) return body.empty('No model yet. Deploy one:', DEPLOY_HINT);
      const cards = models.map((model) => ('unready' in model ? unreadyCard(model.unready) : modelCard(model)));
      body.add(verdictSummary(verdicts), ...needsList(verdicts), el('div', { class: 'models' }, ...cards));
    },
  });

/** Of versions in descending order. */
function newestOf(verdict: Row, versions: readonly Row[]): Row {
  return versions.find((row) => row['model_name'] === verdict['model_name']) ?? verdict;
}

function judgedModel(verdict: Row, health: readonly Row[], trend: readonly Row[]): JudgedModel {
  const mine = health.filter((row) => row['model_name'] === verdict['model_name']);
  const isJudged = (row: Row): boolean => number(row, 'model_version') === number(verdict, 'model_version');
  // Of several targets the one that the verdict is about.
  const isOf = (row: Row): boolean => (row['target'] ?? null) === (verdict['target'] ?? null);
  return {
    verdict,
    health: mine.find(isJudged) ?? {},
    versions: mine.length,
    trend: trend
      .filter((row) => row['model_name'] === verdict['model_name'] && isJudged(row) && isOf(row))
      .toReversed(),
  };
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
    el(
      'p',
      { class: 'quiet' },
      `Version ${text(row, 'model_version')}. ${sentences(text(row, 'reason'), text(row, 'remedy'))}`,
    ),
  );
}
