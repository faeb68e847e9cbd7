import { el } from './dom.ts';
import type { ModelContext } from './model-context.ts';
import { seriesOf } from './theme.ts';

/** Which colour is which version, and what dashes mean. */
export function versionLegend(
  { versions, champion }: ModelContext,
  dashes: { unripe?: boolean; bars?: boolean; estimate?: boolean; bound?: boolean } = {},
): HTMLElement {
  const entries = versions.map((version) =>
    el('span', {}, swatch(version), `version ${version}${version === champion ? ', champion' : ''}`),
  );
  return el(
    'div',
    { class: 'legend' },
    ...entries,
    dashes.unripe === true && el('span', {}, el('span', { class: 'dash' }), 'labels few or still arriving'),
    dashes.bars === true && el('span', {}, el('span', { class: 'swatch bars' }), 'labelled predictions'),
    dashes.estimate === true && el('span', {}, el('span', { class: 'dash' }), 'estimated without labels'),
    dashes.bound === true && el('span', {}, el('span', { class: 'dash bound' }), 'an alert begins'),
  );
}

export function swatch(version: number): HTMLElement {
  return el('span', { class: `swatch s${seriesOf(version)}`, 'aria-hidden': 'true' });
}
