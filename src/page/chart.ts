import type { Chart as ChartClass, ChartConfiguration, TooltipItem } from 'chart.js';
import { percent } from './format.ts';
import { colour } from './theme.ts';

export type { ChartConfiguration, ChartDataset, ChartOptions, Plugin, TooltipItem } from 'chart.js';

declare global {
  /** The library, which a script of its own has loaded before. */
  const Chart: typeof ChartClass;
}

/** Draws on a canvas, in the colours of the page and without movement. */
export function drawChart(canvas: HTMLCanvasElement, config: ChartConfiguration): ChartClass {
  Chart.defaults.animation = false;
  Chart.defaults.maintainAspectRatio = false;
  Chart.defaults.font.family = getComputedStyle(document.documentElement).fontFamily;
  Chart.defaults.font.size = 12;
  Chart.defaults.color = colour('quiet');
  Chart.defaults.borderColor = colour('grid');
  Chart.defaults.plugins.legend.display = false;
  Object.assign(Chart.defaults.plugins.tooltip, {
    backgroundColor: colour('ink'),
    titleColor: colour('card'),
    bodyColor: colour('card'),
    padding: 10,
    cornerRadius: 8,
    boxPadding: 4,
    usePointStyle: true,
  });
  return new Chart(canvas, config);
}

type Ends = readonly [from: number, to: number];

/** The ticks of an axis of shares. */
export function shareTicks(maxTicksLimit = 5) {
  return { maxTicksLimit, callback: (share: number | string) => percent(Number(share), 0) };
}

/** The tooltip of an item: a title by its place, and its value after the name of what it is of. */
export function tooltipOf(title: (x: number) => string, write: (value: number | null) => string) {
  return {
    callbacks: {
      title: ([item]: readonly TooltipItem<'line'>[]) => title(item?.parsed.x ?? 0),
      label: ({ dataset, parsed }: TooltipItem<'line'>) => `${dataset.label ?? ''}: ${write(parsed.y)}`,
    },
  };
}

/** A line without points. */
export function curveOf(label: string, stroke: string, data: { x: number; y: number | null }[]) {
  return { label, data, borderColor: stroke, backgroundColor: stroke, borderWidth: 2, pointRadius: 0 };
}

/** A dashed line to compare with, which no tooltip tells of. */
export function guideLine(label: string, [from, to]: Ends, [low, high]: Ends = [from, to]) {
  const data = [
    { x: from, y: low },
    { x: to, y: high },
  ];
  const style = { borderColor: colour('quiet'), borderWidth: 1, borderDash: [3, 4], pointRadius: 0, pointHitRadius: 0 };
  return { type: 'line' as const, label, yAxisID: 'y', data, ...style };
}
