import { el } from './dom.ts';

const DARK = matchMedia('(prefers-color-scheme: dark)');

export function scheme(): 'dark' | 'light' {
  return DARK.matches ? 'dark' : 'light';
}

export function onSchemeChange(then: () => void): void {
  DARK.addEventListener('change', then);
}

/** A colour of style.css by its name, such as "line". */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** The same as a tint: of a band, or of bars. */
export function tint(hex: string, share: number): string {
  return `${hex}${Math.round(share * 255)
    .toString(16)
    .padStart(2, '0')}`;
}

const MOST_SERIES = 6;

/** Which of the series' colours a version has: the same wherever it is shown. */
function seriesOf(version: number): number {
  return ((version - 1) % MOST_SERIES) + 1;
}

export function colourOf(version: number): string {
  return colour(`series-${seriesOf(version)}`);
}

/** Which colour is which version, and what dashes mean. */
export function versionLegend(
  { versions, champion }: { readonly versions: readonly number[]; readonly champion: number | undefined },
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
    dashes.estimate === true && el('span', {}, el('span', { class: 'dash estimate' }), 'estimated without labels'),
    dashes.bound === true && el('span', {}, el('span', { class: 'dash bound' }), 'an alert begins'),
  );
}

export function swatch(version: number): HTMLElement {
  return el('span', { class: `swatch s${seriesOf(version)}`, 'aria-hidden': 'true' });
}
