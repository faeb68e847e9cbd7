import { alertsPanel } from './alerts-panel.ts';
import { classesPanel } from './classes-panel.ts';
import { closeLookControls, overTimeControls } from './controls.ts';
import { coveragePanel } from './coverage-panel.ts';
import { el } from './dom.ts';
import { driftPanel } from './drift-panel.ts';
import { errorsPanel } from './errors-panel.ts';
import { eventsPanel } from './events-panel.ts';
import { featurePanel } from './feature-panel.ts';
import { keepFocus } from './focus.ts';
import { labelAgePanel } from './label-age-panel.ts';
import { contextOf, type ModelContext } from './model-context.ts';
import { modelFacts } from './model-facts.ts';
import { performancePanel } from './performance-panel.ts';
import { reliabilityPanel } from './reliability-panel.ts';
import { runsPanel } from './runs-panel.ts';
import { schedulesPanel } from './schedules-panel.ts';
import { scoresPanel } from './scores-panel.ts';
import { thresholdPanel } from './threshold-panel.ts';
import { unreadyModel } from './unready-model.ts';
import type { View } from './view.ts';

/** Everything about one model. */
export function modelView(model: string): View {
  const performance = performancePanel();
  const [coverage, errors, labelAge] = [coveragePanel(), errorsPanel(), labelAgePanel()];
  const closely = [thresholdPanel(), classesPanel(), reliabilityPanel(), scoresPanel()];
  const drift = [driftPanel(), featurePanel()];
  const [runs, schedules, alerts] = [runsPanel(model), schedulesPanel(model), alertsPanel(model)];
  const always = [runs, schedules, alerts];
  const events = eventsPanel();
  const [facts, overTime, closeLook] = [el('div', { class: 'title' }), el('div'), el('div')];
  const elements = (panels: readonly { element: HTMLElement }[]): HTMLElement[] => panels.map(({ element }) => element);
  const inside = el(
    'div',
    { class: 'stack' },
    overTime,
    performance.element,
    el('div', { class: 'grid' }, ...elements([coverage, labelAge])),
    errors.element,
    closeLook,
    el('div', { class: 'grid' }, ...elements(closely)),
    ...elements(drift),
  );
  const outside = el('div', { class: 'stack' }, runs.element, schedules.element, events.element);
  const about = [performance, coverage, errors, labelAge, ...closely, ...drift, events];

  const refresh: View['refresh'] = async (address) => {
    const context = await contextOf(address);
    inside.hidden = context === undefined;
    keepFocus(() => {
      facts.replaceChildren(...(context === undefined ? [el('h1', {}, model)] : modelFacts(context)));
      overTime.replaceChildren(...(context === undefined ? [] : [overTimeControls(context)]));
      closeLook.replaceChildren(...(context === undefined || context.task === 'regression' ? [] : [closeLookControls(context)]));
    });
    events.element.hidden = context === undefined;
    if (context === undefined) facts.append(...(await unreadyModel(model)));
    else await refreshAll(about, context);
    await Promise.all(always.map((panel) => panel.refresh(undefined)));
  };
  return {
    title: model,
    element: el('div', { class: 'stack' }, facts, alerts.element, inside, outside),
    refresh,
    refreshRuns: () => runs.refresh(undefined),
    close: () => [...about, ...always].forEach((panel) => panel.close()),
  };
}

async function refreshAll(panels: readonly { refresh(context: ModelContext): Promise<void> }[], context: ModelContext): Promise<void> {
  await keepFocus(async () => Promise.all(panels.map((panel) => panel.refresh(context))));
}
