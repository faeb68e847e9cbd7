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
export function seriesOf(version: number): number {
  return ((version - 1) % MOST_SERIES) + 1;
}

export function colourOf(version: number): string {
  return colour(`series-${seriesOf(version)}`);
}
