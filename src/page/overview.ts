import { alertsPanel } from './alerts-panel.ts';
import { el } from './dom.ts';
import { modelsPanel } from './models-panel.ts';
import { refreshesPanel, runsPanel, schedulesPanel } from './operations-panels.ts';
import { watchesPanel } from './watches-panel.ts';
import type { View } from './panel.ts';

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
