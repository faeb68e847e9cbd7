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
  dashes: { immature?: boolean; bars?: boolean; estimate?: boolean; bound?: boolean } = {},
): HTMLElement {
  return legend(
    ...versions.map(
      (version) => [`s${seriesOf(version)}`, `version ${version}${version === champion ? ', champion' : ''}`] as const,
    ),
    dashes.immature === true && ['dash', 'labels few or still arriving'],
    dashes.bars === true && ['bars', 'labelled predictions'],
    dashes.estimate === true && ['dash estimate', 'estimated without labels'],
    dashes.bound === true && ['dash bound', 'an alert begins'],
  );
}

/** What each mark of a chart is: the class of its swatch, such as s2 for the second series, and a name. */
export function legend(...entries: readonly (readonly [mark: string, name: string] | false)[]): HTMLElement {
  const shown = entries.filter((entry) => entry !== false);
  return el('div', { class: 'legend' }, ...shown.map(([mark, name]) => el('span', {}, markOf(mark), name)));
}

function markOf(mark: string): HTMLElement {
  return el('span', { class: mark.startsWith('dash') ? mark : `swatch ${mark}`, 'aria-hidden': 'true' });
}

export function swatch(version: number): HTMLElement {
  return markOf(`s${seriesOf(version)}`);
}
