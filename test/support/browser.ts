import { spawnSync } from 'node:child_process';

import { afterAll } from '@jest/globals';
import { chromium, type Browser, type Page } from 'playwright-core';

const PROGRAMS = ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome'];

/** The Chromium of this machine; undefined where there is none, and what needs it is skipped. */
export const chromiumHere = PROGRAMS.find((program) => spawnSync(program, ['--version']).status === 0);
if (chromiumHere === undefined) console.log('skipped: tests in a browser, as chromium is missing');

export type TestPage = {
  readonly page: Page;
  /** Everything that went wrong in the page: errors, what its policy refused, requests to elsewhere. */
  readonly complaints: string[];
};

let browser: Promise<Browser> | undefined;

afterAll(async () => {
  await (await browser)?.close();
});

/** A page in a window of its own, which shares no cookie with others. */
export async function openPage(origin: string): Promise<TestPage> {
  const executablePath = spawnSync('which', [chromiumHere ?? ''], { encoding: 'utf8' }).stdout.trim();
  browser ??= chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
  const context = await (await browser).newContext({ viewport: { width: 1280, height: 900 }, colorScheme: 'light' });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => {
    if (!request.url().startsWith(`${origin}/`)) complaints.push(`asked for ${request.url()}`);
  });
  return { page, complaints };
}

/** What one plot holds: its lines or bars, as they were given to be drawn. */
export type Drawn = { label: string; data: { x: number; y: number | null }[] }[];

/** The data of the plot with this name in a panel. */
export async function drawnIn(page: Page, panel: string, nth = 0): Promise<Drawn> {
  const canvas = page.locator(`#${panel} canvas`).nth(nth);
  await canvas.waitFor().catch(async (cause: unknown) => {
    throw new Error(`no plot in #${panel} of a page that says: ${await page.innerText('body')}`, { cause });
  });
  return canvas.evaluate((element) => {
    type Library = { getChart(of: unknown): { data: { datasets: Drawn } } };
    const { Chart } = globalThis as unknown as { Chart: Library };
    return Chart.getChart(element).data.datasets.map(({ label, data }) => ({ label, data }));
  });
}

/** What names the parts of a plot: the titles of its axes, and the entries of its legend, as they are drawn. */
export async function namesIn(page: Page, panel: string, nth = 0): Promise<{ axes: string[]; legend: string[] }> {
  await drawnIn(page, panel, nth);
  const canvas = page.locator(`#${panel} canvas`).nth(nth);
  return canvas.evaluate((element) => {
    type Title = { display: boolean; text: string };
    type Legend = { options: { display: boolean }; legendItems: { text: string }[] };
    type Plot = { legend?: Legend; scales: Record<string, { options: { title: Title } }> };
    const { Chart } = globalThis as unknown as { Chart: { getChart(of: unknown): Plot } };
    const { legend, scales } = Chart.getChart(element);
    const titles = Object.values(scales).map(({ options }) => options.title);
    return {
      axes: titles.filter(({ display }) => display).map(({ text }) => text),
      legend: legend?.options.display === true ? legend.legendItems.map(({ text }) => text) : [],
    };
  });
}

/** The lines across a plot that mark an instant, as they are drawn, with what is written at them. */
export async function markersIn(page: Page, panel: string, nth = 0): Promise<{ at: number; label: string }[]> {
  await drawnIn(page, panel, nth);
  const canvas = page.locator(`#${panel} canvas`).nth(nth);
  return canvas.evaluate((element) => {
    type Pen = { moveTo?: (x: number, y: number) => void; fillText?: (text: string) => void };
    type Plot = { ctx: Pen; chartArea: { top: number }; scales: { x: Axis }; draw(): void };
    type Axis = { getValueForPixel(pixel: number): number };
    const { Chart } = globalThis as unknown as { Chart: { getChart(of: unknown): Plot } };
    const plot = Chart.getChart(element);
    const markers: { at: number; label: string }[] = [];
    let from: number | undefined;
    plot.ctx.moveTo = (x, y) => (from = y === plot.chartArea.top ? x : undefined);
    plot.ctx.fillText = (label) => {
      if (from !== undefined) markers.push({ at: Math.round(plot.scales.x.getValueForPixel(from)), label });
      from = undefined;
    };
    plot.draw();
    delete plot.ctx.moveTo;
    delete plot.ctx.fillText;
    plot.draw();
    return markers;
  });
}

type Band = { from: number; to: number };

/** The bands across a plot, from top to bottom, as times. */
export async function bandsIn(page: Page, panel: string, nth = 0): Promise<Band[]> {
  await drawnIn(page, panel, nth);
  const canvas = page.locator(`#${panel} canvas`).nth(nth);
  return canvas.evaluate((element) => {
    type Pen = { fillRect?: (x: number, y: number, width: number, height: number) => void };
    type Area = { top: number; bottom: number };
    type Plot = { ctx: Pen; chartArea: Area; scales: { x: { getValueForPixel(pixel: number): number } }; draw(): void };
    const { Chart } = globalThis as unknown as { Chart: { getChart(of: unknown): Plot } };
    const plot = Chart.getChart(element);
    const { top, bottom } = plot.chartArea;
    const bands: Band[] = [];
    const timeAt = (pixel: number): number => Math.round(plot.scales.x.getValueForPixel(pixel));
    plot.ctx.fillRect = (x, y, width, height) => {
      if (y === top && height === bottom - top) bands.push({ from: timeAt(x), to: timeAt(x + width) });
    };
    plot.draw();
    delete plot.ctx.fillRect;
    plot.draw();
    return bands;
  });
}

/** Points at a time in a plot; what the tooltip says below its lines. */
export async function footerAt(page: Page, panel: string, time: number): Promise<string[]> {
  await drawnIn(page, panel);
  const canvas = page.locator(`#${panel} canvas`).first();
  type Plot = {
    scales: { x: { getPixelForValue(value: number): number } };
    tooltip: { opacity: number; footer: string[] };
  };
  type Library = { Chart: { getChart(of: unknown): Plot } };
  const x = await canvas.evaluate((element, at) => {
    const { Chart } = globalThis as unknown as Library;
    return Chart.getChart(element).scales.x.getPixelForValue(at);
  }, time);
  await canvas.hover({ position: { x, y: 60 } });
  return canvas.evaluate((element) => {
    const { Chart } = globalThis as unknown as Library;
    return Chart.getChart(element).tooltip.footer;
  });
}

/** The rows of the table of numbers under a plot, as text. */
export async function numbersIn(page: Page, panel: string, nth = 0): Promise<string[][]> {
  const rows = page.locator(`#${panel} table`).nth(nth).locator('tbody tr');
  return rows.evaluateAll((lines) =>
    lines.map((line) =>
      [...(line as unknown as { children: Iterable<{ textContent: string }> }).children].map(
        (cell) => cell.textContent,
      ),
    ),
  );
}
