import { number, text, type Row } from './api.ts';
import type { Plugin } from './chart.ts';
import { el } from './dom.ts';
import { day, percent } from './format.ts';
import type { Marker } from './markers.ts';
import { colour, tint } from './theme.ts';
import { atOf } from './time-axis.ts';

/** An experiment on a time axis: from the day of its start to that of its stop. */
export type Experiment = {
  readonly kind: string;
  readonly from: number;
  /** undefined: it is running. */
  readonly to: number | undefined;
  /** Its kind, its arms and when it was open. */
  readonly words: string;
};

/** A band is drawn at least so wide, in pixels. */
const LEAST_WIDTH = 3;

export function experimentsOf(rows: readonly Row[]): readonly Experiment[] {
  return rows.map((row) => ({
    kind: text(row, 'kind'),
    from: atOf(text(row, 'started_at')),
    to: row['stopped_at'] === null ? undefined : atOf(text(row, 'stopped_at')),
    words: wordsOf(row),
  }));
}

function wordsOf(row: Row): string {
  const stopped = text(row, 'stopped_at');
  const open = `from ${day(text(row, 'started_at'))}${stopped === '' ? ', running' : ` to ${day(stopped)}`}`;
  const sampled = row['kind'] === 'shadow' ? `, on ${percent(number(row, 'sampling'), 0)} of entities` : '';
  return `${text(row, 'kind')} ${open}${sampled}: ${text(row, 'arms')}`;
}

/** Where experiments begin and end. */
export function experimentMarkers(experiments: readonly Experiment[]): Marker[] {
  return experiments.flatMap(({ kind, from, to }) => [
    { at: from, label: kind },
    ...(to === undefined || to === from ? [] : [{ at: to, label: `${kind} ends` }]),
  ]);
}

/** The newest day to show of them. */
export function lastOf(experiments: readonly Experiment[]): number {
  return Math.max(...experiments.map(({ to = Date.now() }) => to));
}

/** Draws a band behind a plot for each experiment. */
export function experimentBands(experiments: readonly Experiment[]): Plugin {
  return {
    id: 'experiments',
    beforeDatasetsDraw: ({ ctx, chartArea, scales }) => {
      const axis = scales['x'];
      if (axis === undefined) return;
      ctx.save();
      ctx.fillStyle = tint(colour('series-4'), 0.14);
      for (const { from, to = axis.max } of experiments) {
        if (from > axis.max || to < axis.min) continue;
        const left = axis.getPixelForValue(Math.max(from, axis.min));
        const right = axis.getPixelForValue(Math.min(to, axis.max));
        const width = Math.max(right - left, LEAST_WIDTH);
        ctx.fillRect(left, chartArea.top, width, chartArea.bottom - chartArea.top);
      }
      ctx.restore();
    },
  };
}

/** What a tooltip says of the experiments that were open in a window of time. */
export function experimentsIn(experiments: readonly Experiment[], from: number, before: number): string[] {
  return experiments
    .filter((experiment) => experiment.from < before && (experiment.to ?? Infinity) >= from)
    .map(({ words }) => words);
}

const LISTED = 3;

/** The experiments of a model in words, for whoever cannot see or touch the plot; nothing where there is none. */
export function experimentList(experiments: readonly Experiment[]): Node[] {
  if (experiments.length === 0) return [];
  const list = (some: readonly Experiment[]): HTMLElement =>
    el(
      'ul',
      { class: 'legend', 'aria-label': 'Experiments' },
      ...some.map(({ words }) =>
        el('li', {}, el('span', { class: 'swatch experiment', 'aria-hidden': 'true' }), words),
      ),
    );
  const earlier = experiments.slice(LISTED);
  const more = `${earlier.length} earlier ${earlier.length === 1 ? 'experiment' : 'experiments'}`;
  return [
    list(experiments.slice(0, LISTED)),
    ...(earlier.length === 0 ? [] : [el('details', {}, el('summary', {}, more), list(earlier))]),
  ];
}
