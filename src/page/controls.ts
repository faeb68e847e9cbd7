import { GRAINS, type Address } from './address.ts';
import { el, navigateTo, here } from './dom.ts';
import { day } from './format.ts';
import { swatch } from './theme.ts';
import { METRICS, metricOf } from './model-metrics.ts';
import { type ModelContext, type Month, ofMonth } from './model-context.ts';

/** What is shown over time: which versions, which metric, how finely. */
export function overTimeControls(context: ModelContext): HTMLElement {
  const { address, judged, known, versions } = context;
  return el(
    'div',
    { class: 'controls' },
    segments(
      'Versions',
      known.toReversed().map((version) => ({
        label: String(version),
        key: `version ${version}`,
        pressed: versions.includes(version),
        swatch: version,
        go: { versions: toggled(versions, version) },
      })),
    ),
    ...targetChoice(context),
    ...(METRICS[judged].length === 0 ? [] : [metricChoice(context)]),
    segments(
      'By',
      GRAINS.map((grain) => ({ label: grain, key: grain, pressed: grain === address.grain, go: { grain } })),
    ),
  );
}

function metricChoice({ address, judged }: ModelContext): HTMLElement {
  const options = METRICS[judged].map(({ column, title }) => [column, title] as const);
  return choice('Metric', 'metric', metricOf(judged, address.metric).column, options, (metric) => ({ metric }));
}

/** Which of several values of a row is shown; none of a model that gives one. */
function targetChoice({ targets, target, hasScore }: ModelContext): HTMLElement[] {
  if (targets.length === 0) return [];
  const score = hasScore ? [['', 'the score'] as const] : [];
  const options = [...score, ...targets.map((name) => [name, name] as const)];
  const go = (name: string): Partial<Address> => ({ target: name === '' ? undefined : name, metric: undefined });
  return [choice('Target', 'target', target ?? '', options, go)];
}

/** What is looked at closely: one version, one month. */
export function closeLookControls({ versions, focus, months, month }: ModelContext): HTMLElement {
  return el(
    'div',
    { class: 'controls' },
    choice(
      'Version',
      'focus',
      String(focus),
      versions.map((version) => [String(version), `version ${version}`]),
      (version) => ({
        versions: [Number(version), ...versions.filter((other) => other !== Number(version))],
      }),
    ),
    choice(
      'Month',
      'month',
      month ?? '',
      months.toReversed().map((one) => [one.date, `${day(one.date, true)}${stateOf(one)}`]),
      (date) => ({ month: date }),
    ),
  );
}

function stateOf({ mature, superseded }: Month): string {
  if (mature) return '';
  return superseded ? ', superseded' : ', labels still arriving';
}

type Segment = {
  readonly label: string;
  readonly key: string;
  readonly pressed: boolean;
  readonly go: Partial<Address>;
  readonly swatch?: number;
};

function segments(title: string, choices: readonly Segment[]): HTMLElement {
  return el(
    'fieldset',
    { class: 'control' },
    el('legend', {}, title),
    el(
      'div',
      { class: 'segments' },
      ...choices.map((one) =>
        el(
          'button',
          { type: 'button', 'aria-pressed': String(one.pressed), 'data-key': one.key, onclick: () => change(one.go) },
          one.swatch !== undefined && one.pressed && swatch(one.swatch),
          one.label,
        ),
      ),
    ),
  );
}

function choice(
  title: string,
  key: string,
  chosen: string,
  options: readonly (readonly [value: string, label: string])[],
  go: (value: string) => Partial<Address>,
): HTMLElement {
  const select = el('select', { id: `choose-${key}`, 'data-key': key });
  select.append(...options.map(([value, label]) => el('option', { value, selected: value === chosen }, label)));
  select.addEventListener('change', () => change(go(select.value)));
  return el('div', { class: 'control' }, el('label', { for: `choose-${key}` }, title), select);
}

function change(part: Partial<Address>): void {
  navigateTo({ ...here(), ...part });
}

/** One at least stays. */
function toggled(versions: readonly number[], version: number): number[] {
  if (!versions.includes(version)) return [...versions, version];
  return versions.length === 1 ? [...versions] : versions.filter((other) => other !== version);
}

export type ControlBar = { readonly element: HTMLElement; refresh(context: ModelContext): void };

/** Controls that are drawn anew only where what they show has changed: a key that is being pressed meets the same button again. */
export function controlBar(draw: (context: ModelContext) => HTMLElement): ControlBar {
  const element = el('div');
  let drawn = '';
  return {
    element,
    refresh: (context) => {
      const fingerprint = JSON.stringify({ ...context, health: undefined });
      if (fingerprint === drawn) return;
      drawn = fingerprint;
      keepFocus(() => element.replaceChildren(draw(context)));
    },
  };
}

/** The ready version before the one that is looked at. */
function previousOf({ known, focus }: ModelContext): number | undefined {
  return known.find((version) => version < focus);
}

/** Whose decisions are shown: those of the version that is looked at, or of the one before where the address says so. */
export function decidingVersion(context: ModelContext): number {
  return (context.address.previous ? previousOf(context) : undefined) ?? context.focus;
}

/** The values that questions about its month are asked with. */
export function ofDecidingVersion(context: ModelContext): ReturnType<typeof ofMonth> {
  const values = ofMonth(context);
  return values === undefined ? undefined : { ...values, version: String(decidingVersion(context)) };
}

/** Buttons that go from one to the other; none where there is no other. */
export function versionToggle(context: ModelContext): HTMLElement[] {
  const before = previousOf(context);
  if (before === undefined) return [];
  const shown = decidingVersion(context);
  const button = (version: number, name: string): HTMLElement =>
    el(
      'button',
      {
        type: 'button',
        'aria-pressed': String(version === shown),
        'data-key': `decisions of ${version}`,
        onclick: () => navigateTo({ ...here(), previous: version === before }),
      },
      name,
    );
  const buttons = [
    button(context.focus, `version ${context.focus}`),
    button(before, `version ${before}, the one before`),
  ];
  return [el('div', { class: 'segments', role: 'group', 'aria-label': 'Version that decided' }, ...buttons)];
}

/** Redraws, and gives the keyboard back to what has the same key as what had it before. */
export function keepFocus<Result>(redraw: () => Result): Result {
  const before = document.activeElement;
  const key = before instanceof HTMLElement ? before.dataset['key'] : undefined;
  const restore = (): void => {
    if (key === undefined || before?.isConnected === true || document.activeElement !== document.body) return;
    const again = [...document.querySelectorAll<HTMLElement>('[data-key]')].find(
      (element) => element.dataset['key'] === key,
    );
    again?.focus({ preventScroll: true });
  };
  const result = redraw();
  if (result instanceof Promise) void result.finally(restore);
  else restore();
  return result;
}
