import { classesPanel } from './classes-panel.ts';
import { comparisonPanel } from './comparison-panel.ts';
import { controlBar, type ControlBar, closeLookControls, overTimeControls } from './controls.ts';
import { coveragePanel, labelAgePanel } from './label-panels.ts';
import { el } from './dom.ts';
import { driftPanel } from './drift-panel.ts';
import { errorsPanel, residualsPanel } from './error-panels.ts';
import { experimentPanel } from './experiment-panel.ts';
import { featurePanel } from './feature-panel.ts';
import { fitPanel } from './fit-panel.ts';
import { gatesPanel } from './gates-panel.ts';
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
  const [performance, coverage, labelAge] = [performancePanel(), coveragePanel(), labelAgePanel()];
  const [errors, fit, residuals] = [errorsPanel(), fitPanel(), residualsPanel()];
  const [threshold, classes, ranking] = [thresholdPanel(), classesPanel(), rankingPanel()];
  const [reliability, scores] = [reliabilityPanel(), scoresPanel()];
  const [comparison, experiment, gates] = [comparisonPanel(), experimentPanel(), gatesPanel()];
  const [replays, segments] = [replayPanel(), segmentsPanel()];
  const [drift, feature, targets] = [driftPanel(), featurePanel(), targetsPanel()];
  const panels = [
    performance,
    targets,
    coverage,
    labelAge,
    errors,
    fit,
    residuals,
    threshold,
    classes,
    ranking,
    reliability,
    scores,
    segments,
    comparison,
    experiment,
    gates,
    replays,
    drift,
    feature,
  ];
  return {
    now: [overTime, performance, targets, box('grid', coverage, labelAge)],
    why: [
      closeLook,
      segments,
      drift,
      feature,
      box('grid', box('stack', errors, residuals), fit),
      box('grid', box('stack', threshold, ranking), classes, box('stack', reliability, scores)),
    ],
    versions: [experiment, comparison, replays, gates],
    panels,
    controls: [overTime, closeLook],
    closeLook,
  };
}

function box(kind: string, ...inside: readonly Block[]): HTMLElement {
  return el('div', { class: kind }, ...inside.map((one) => ('element' in one ? one.element : one)));
}
