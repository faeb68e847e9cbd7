import { classesPanel } from './classes-panel.ts';
import { comparisonPanel, gatesPanel } from './promotion-panels.ts';
import { controlBar, type ControlBar, closeLookControls, overTimeControls } from './controls.ts';
import { coveragePanel, labelAgePanel } from './label-panels.ts';
import { el } from './dom.ts';
import { driftPanel } from './drift-panel.ts';
import { errorsPanel, residualsPanel } from './error-panels.ts';
import { experimentPanel } from './experiment-panel.ts';
import { featurePanel } from './feature-panel.ts';
import { fitPanel } from './fit-panel.ts';
import type { ModelContext } from './model-context.ts';
import type { Panel } from './panel.ts';
import { performancePanel } from './performance-panel.ts';
import { rankingPanel } from './ranking-panel.ts';
import { reliabilityPanel } from './reliability-panel.ts';
import { replayPanel } from './replay-panel.ts';
import { scoresPanel } from './scores-panel.ts';
import { segmentsPanel } from './segments-panel.ts';
import { targetsPanel } from './targets-panel.ts';
import { thresholdPanel } from './threshold-panel.ts';

type Block = HTMLElement | { readonly element: HTMLElement };

export type ModelPanels = Readonly<Record<'now' | 'why' | 'versions', readonly Block[]>> & {
  readonly panels: readonly Panel<ModelContext>[];
  readonly controls: readonly ControlBar[];
  /** Chooses version and month; there is nothing to look at closely in a regression. */
  readonly closeLook: ControlBar;
};

/** All that is plotted of a model, laid out in groups. */
export function modelPanels(): ModelPanels {
  const [overTime, closeLook] = [controlBar(overTimeControls), controlBar(closeLookControls)];
  const panels: Panel<ModelContext>[] = [];
  const shown = (...some: Panel<ModelContext>[]): Block[] => {
    panels.push(...some);
    return some;
  };
  const stack = (...some: Panel<ModelContext>[]): HTMLElement => box('stack', shown(...some));
  return {
    now: [overTime, ...shown(performancePanel(), targetsPanel()), box('grid', shown(coveragePanel(), labelAgePanel()))],
    why: [
      closeLook,
      ...shown(segmentsPanel(), driftPanel(), featurePanel()),
      box('grid', [stack(errorsPanel(), residualsPanel()), ...shown(fitPanel())]),
      box('grid', [
        stack(thresholdPanel(), rankingPanel()),
        ...shown(classesPanel()),
        stack(reliabilityPanel(), scoresPanel()),
      ]),
    ],
    versions: shown(experimentPanel(), comparisonPanel(), replayPanel(), gatesPanel()),
    panels,
    controls: [overTime, closeLook],
    closeLook,
  };
}

function box(kind: string, inside: readonly Block[]): HTMLElement {
  return el('div', { class: kind }, ...inside.map((one) => ('element' in one ? one.element : one)));
}
