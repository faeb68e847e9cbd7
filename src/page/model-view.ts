import { type Address, PARTS, writeAddress, type Part } from './address.ts';
import { alertsPanel, rulesPanel } from './alerts-panel.ts';
import { el, navigateTo, here } from './dom.ts';
import { eventsPanel, runsPanel, schedulesPanel, versionsPanel, watchesPanel } from './operations-panels.ts';
import { keepFocus } from './controls.ts';
import { contextOf, type ModelContext } from './model-context.ts';
import { modelPanels } from './model-panels.ts';
import { verdictPanel } from './verdict.ts';
import type { View } from './panel.ts';
import { number, text, ask } from './api.ts';
import { ago, compact, percent, sentences } from './format.ts';
import { DEPLOY_HINT } from './sql-hints.ts';

/** Everything about one model: how it is now, why, its versions, and what is done to it. */
export function modelView(model: string): View {
  const facts = el('div', { class: 'title' }, el('h1', {}, model), el('p', { class: 'quiet' }, 'Loading …'));
  const [verdict, alerts, versions] = [verdictPanel(model), alertsPanel(model), versionsPanel(model)];
  const [plots, events] = [modelPanels(), eventsPanel()];
  const [watches, runs, schedules] = [watchesPanel(model), runsPanel(model), schedulesPanel(model)];
  const rules = rulesPanel(model);
  const ofContext = [...plots.panels, events];
  const always = [verdict, alerts, versions, watches, runs, schedules, rules];
  const parts = groups({
    now: [verdict, alerts, ...plots.now],
    why: plots.why,
    versions: [...plots.versions, versions],
    operations: [watches, runs, schedules, rules, events],
  });
  let turn = 0;
  let isPlaced = false;

  const show = async (context: ModelContext): Promise<void> => {
    plots.closeLook.element.hidden = context.task === 'regression' || context.task === 'unjudged';
    facts.replaceChildren(...modelFacts(context));
    for (const bar of plots.controls) bar.refresh(context);
    await keepFocus(async () => Promise.all(ofContext.map((panel) => panel.refresh(context))));
  };
  const refresh = async (address: Address): Promise<void> => {
    turn += 1;
    const mine = turn;
    const context = await contextOf(address);
    const why = context === undefined ? await unreadyModel(model) : [];
    if (mine !== turn) return;
    for (const { element } of plots.controls) element.hidden = context === undefined;
    if (context === undefined) {
      for (const { element } of ofContext) element.hidden = true;
      facts.replaceChildren(el('h1', {}, model), ...why);
    }
    await Promise.all([context && show(context), ...always.map((panel) => panel.refresh(undefined))]);
    if (address.part !== undefined && !isPlaced) parts.show(address.part);
    isPlaced = true;
  };
  return {
    title: model,
    element: el('div', { class: 'stack' }, facts, parts.links, ...parts.elements),
    refresh,
    refreshRuns: () => runs.refresh(undefined),
    refreshWatches: () => watches.refresh(undefined),
    close: () => [...ofContext, ...always].forEach((panel) => panel.close()),
  };
}

/** The head of a model's page. */
function modelFacts({ model, champion, focus, health, task }: ModelContext): HTMLElement[] {
  const source = text(health, 'label_source');
  const waiting = number(health, 'n_waiting') ?? 0;
  const facts = [
    champion === undefined ? 'no champion' : `champion is version ${champion}`,
    `version ${focus}: ${compact(number(health, 'n_predictions'))} predictions, ${knownOf(number(health, 'label_coverage'))}`,
    `last scored ${ago(text(health, 'last_scored_at') || null)}`,
    source !== '' ? `labels from ${source}` : task === 'unjudged' ? 'judged by no label' : 'no source of labels',
    ...(waiting > 0 ? [`${compact(waiting)} labels waiting`] : []),
  ];
  return [
    el('p', { class: 'quiet' }, el('a', { href: '#/' }, 'All models')),
    el('h1', {}, model, ' ', el('span', { class: 'chip plain' }, text(health, 'task'))),
    el('p', { class: 'quiet' }, facts.join(' · ')),
  ];
}

/** NULL where later predictions stand in the place of all that have no label. */
function knownOf(coverage: number | null): string {
  return coverage === null ? 'none to judge' : `truth known of ${percent(coverage)}`;
}

/** What there is to say about a model of which nothing is plotted. */
async function unreadyModel(model: string): Promise<HTMLElement[]> {
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
      ` ${sentences(text(row, 'reason'), text(row, 'remedy'))}`,
    );
  });
}

type Block = HTMLElement | { readonly element: HTMLElement };

type Groups = {
  /** Links to each group. */
  readonly links: HTMLElement;
  readonly elements: readonly HTMLElement[];
  /** Scrolls to the group that the address names. */
  show(part: Part): void;
};

/** What a model's page is made of, in groups that its head leads to. */
function groups(contents: Readonly<Record<Part, readonly Block[]>>): Groups {
  const made = PARTS.map((part) => ({ part, element: group(part, contents[part]) }));
  const show = (part: Part): void => made.find((one) => one.part === part)?.element.scrollIntoView();
  const link = (part: Part): HTMLElement => {
    const a = el('a', { href: '#/' }, titleOf(part));
    // The rest of the address may have changed since.
    a.addEventListener('click', (event) => {
      event.preventDefault();
      navigateTo({ ...here(), part }, true);
      show(part);
    });
    a.addEventListener('pointerenter', () => a.setAttribute('href', writeAddress({ ...here(), part })));
    return a;
  };
  return {
    links: el('nav', { class: 'groups', 'aria-label': 'Parts of this page' }, ...PARTS.map(link)),
    elements: made.map(({ element }) => element),
    show,
  };
}

function group(part: Part, blocks: readonly Block[]): HTMLElement {
  const inside = blocks.map((block) => ('element' in block ? block.element : block));
  return el(
    'section',
    { class: 'group stack', 'aria-labelledby': `group-${part}` },
    el('h2', { id: `group-${part}`, class: 'group-title' }, titleOf(part)),
    ...inside,
  );
}

function titleOf(part: Part): string {
  return `${part.charAt(0).toUpperCase()}${part.slice(1)}`;
}
