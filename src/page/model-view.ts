import type { Address } from './address.ts';
import { alertsPanel, rulesPanel } from './alerts-panel.ts';
import { el } from './dom.ts';
import { eventsPanel } from './events-panel.ts';
import { keepFocus } from './focus.ts';
import { contextOf, type ModelContext } from './model-context.ts';
import { modelFacts } from './model-facts.ts';
import { modelPanels } from './model-panels.ts';
import { runsPanel } from './runs-panel.ts';
import { schedulesPanel } from './schedules-panel.ts';
import { unreadyModel } from './unready-model.ts';
import type { View } from './view.ts';

/** Everything about one model. */
export function modelView(model: string): View {
  const facts = el('div', { class: 'title' });
  const [alerts, plots, events] = [alertsPanel(model), modelPanels(), eventsPanel()];
  const [runs, schedules, rules] = [runsPanel(model), schedulesPanel(model), rulesPanel(model)];
  const ofContext = [...plots.panels, events];
  const always = [alerts, runs, schedules, rules];
  let turn = 0;

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
    for (const element of [plots.element, events.element]) element.hidden = context === undefined;
    if (context === undefined) facts.replaceChildren(el('h1', {}, model), ...why);
    await Promise.all([context && show(context), ...always.map((panel) => panel.refresh(undefined))]);
  };
  return {
    title: model,
    element: el(
      'div',
      { class: 'stack' },
      facts,
      alerts.element,
      plots.element,
      runs.element,
      schedules.element,
      rules.element,
      events.element,
    ),
    refresh,
    refreshRuns: () => runs.refresh(undefined),
    close: () => [...ofContext, ...always].forEach((panel) => panel.close()),
  };
}
