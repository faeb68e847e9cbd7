import type { Chart as ChartClass, ChartConfiguration } from 'chart.js';
import { colour } from './theme.ts';

export type { ChartConfiguration, ChartDataset, ChartOptions, Plugin, Scale, TooltipItem } from 'chart.js';

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
