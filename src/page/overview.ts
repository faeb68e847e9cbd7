import { alertsPanel } from './alerts-panel.ts';
import { el } from './dom.ts';
import { modelsPanel } from './models-panel.ts';
import { runsPanel } from './runs-panel.ts';
import { schedulesPanel } from './schedules-panel.ts';
import type { View } from './view.ts';

/** All models, what runs and what is scheduled. */
export function overview(): View {
  const runs = runsPanel();
  const panels = [alertsPanel(), modelsPanel(), runs, schedulesPanel()];
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
    close: () => panels.forEach((panel) => panel.close()),
  };
}
