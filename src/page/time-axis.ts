import { breaksIn, isBreak, shortened, unshortened, type Break } from './breaks.ts';
import type { ChartOptions, Scale as ScaleOfChart } from 'chart.js';
import { day } from './format.ts';

const DAY_MS = 86_400_000;
/** Of a label, and between two, in pixels. */
const [LABEL, GAP] = [62, 18];
/** More of them are too many to choose from: months take their place, then years. */
const [MOST_DAYS, MOST_MONTHS] = [75, 40];

type Scale = NonNullable<NonNullable<ChartOptions<'line'>['scales']>['x']>;

/** The instant that stands for a day on the axis. */
export function atOf(date: string): number {
  return Date.parse(`${date.slice(0, 10)}T00:00:00Z`);
}

export function dateOf(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}

/**
 * An axis of days without a date library: distances are true, but for breaks, and ticks stand at beginnings of days, months
 * or years. It grows to the right by a window, or a tenth of its length, where that shows `last`.
 */
export function timeAxis(times: readonly number[], last = -Infinity): Scale {
  const breaks = breaksIn(times);
  const [least, most] = [Math.min(...times), Math.max(...times)];
  const span = shortened(most, breaks) - shortened(least, breaks);
  const step = stepOf(times);
  const margin = Math.max(step / 2, span * 0.015);
  const more = last <= most + Math.max(1.2 * step, 0.1 * span) ? Math.max(0, last - most - margin / 2) : 0;
  const { ticks, byMonth } = ticksBetween(least, most, breaks);
  const apart = usualDistance(ticks.map((at) => shortened(at, breaks)));
  // The library takes it that ticks stand evenly from end to end of the axis.
  const stretch = apart > 0 ? (span + 2 * margin + more) / (apart * (ticks.length - 1)) : 1;
  return {
    type: 'linear',
    min: least - margin,
    max: most + margin + more,
    offset: false,
    grid: { display: false, offset: false },
    ...(breaks.length > 0 ? { beforeUpdate: (axis: ScaleOfChart) => leaveOut(axis, breaks) } : {}),
    afterBuildTicks: (axis) => {
      axis.ticks = ticks.map((value) => ({ value }));
    },
    ticks: {
      autoSkip: true,
      autoSkipPadding: (LABEL + GAP) * stretch - LABEL,
      maxRotation: 0,
      callback: (at) => day(dateOf(Number(at)), byMonth),
    },
  };
}

/** The least distance of two windows: room for half a bar at either end. */
function stepOf(times: readonly number[]): number {
  const sorted = [...new Set(times)].toSorted((one, other) => one - other);
  return Math.min(31 * DAY_MS, ...sorted.slice(1).map((time, at) => time - (sorted[at] ?? time)));
}

function ticksBetween(least: number, most: number, breaks: readonly Break[]): { ticks: number[]; byMonth: boolean } {
  const all = Array.from({ length: (most - least) / DAY_MS + 1 }, (_, at) => least + at * DAY_MS);
  const days = all.filter((at) => !isBreak(at, breaks));
  if (days.length <= MOST_DAYS) return { ticks: days, byMonth: false };
  const firsts = days.filter((at) => new Date(at).getUTCDate() === 1);
  const ticks = firsts.length <= MOST_MONTHS ? firsts : firsts.filter((at) => new Date(at).getUTCMonth() === 0);
  return { ticks, byMonth: true };
}

function usualDistance(places: readonly number[]): number {
  const distances = places.slice(1).map((place, at) => place - (places[at] ?? place));
  return distances.toSorted((one, other) => one - other)[distances.length >> 1] ?? 0;
}

/** Has the library place times, and tell which lies where, as if there were less of each break. */
function leaveOut(axis: ScaleOfChart, breaks: readonly Break[]): void {
  const place = (time: number): number => shortened(time, breaks);
  axis.getPixelForValue = (time) =>
    axis.getPixelForDecimal((place(time) - place(axis.min)) / (place(axis.max) - place(axis.min)));
  axis.getValueForPixel = (pixel) => {
    const share = axis.getDecimalForPixel(pixel);
    return unshortened(place(axis.min) + share * (place(axis.max) - place(axis.min)), breaks);
  };
}
