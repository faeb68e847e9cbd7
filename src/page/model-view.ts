import type { Address } from './address.ts';
import { alertsPanel, rulesPanel } from './alerts-panel.ts';
import { el } from './dom.ts';
import { eventsPanel } from './events-panel.ts';
import { keepFocus } from './focus.ts';
import { groups } from './groups.ts';
import { contextOf, type ModelContext } from './model-context.ts';
import { modelFacts } from './model-facts.ts';
import { modelPanels } from './model-panels.ts';
import { runsPanel } from './runs-panel.ts';
import { schedulesPanel } from './schedules-panel.ts';
import { unreadyModel } from './unready-model.ts';
import { verdictPanel } from './verdict-panel.ts';
import { versionsPanel } from './versions-panel.ts';
import type { View } from './view.ts';

/** Everything about one model: how it is now, why, its versions, and what is done to it. */
export function modelView(model: string): View {
  const facts = el('div', { class: 'title' }, el('h1', {}, model), el('p', { class: 'quiet' }, 'Loading …'));
  const [verdict, alerts, versions] = [verdictPanel(model), alertsPanel(model), versionsPanel(model)];
  const [plots, events] = [modelPanels(), eventsPanel()];
  const [runs, schedules, rules] = [runsPanel(model), schedulesPanel(model), rulesPanel(model)];
  const ofContext = [...plots.panels, events];
  const always = [verdict, alerts, versions, runs, schedules, rules];
  const parts = groups({
    now: [verdict, alerts, ...plots.now],
    why: plots.why,
    versions: [...plots.versions, versions],
    operations: [runs, schedules, rules, events],
  });
  let turn = 0;
  let isPlaced = false;

  const show = async (context: ModelContext): Promise<void> => {
    plots.closeLook.element.hidden = context.task === 'regression';
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
    close: () => [...ofContext, ...always].forEach((panel) => panel.close()),
  };
}
