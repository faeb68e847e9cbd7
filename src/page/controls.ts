import { GRAINS, type Address } from './address.ts';
import { goTo, here } from './navigate.ts';
import { el } from './dom.ts';
import { day } from './format.ts';
import { swatch } from './legend.ts';
import { METRICS, metricOf } from './metrics.ts';
import type { ModelContext, Month } from './model-context.ts';

/** What is shown over time: which versions, which metric, how finely. */
export function overTimeControls(context: ModelContext): HTMLElement {
  const { address, task, known, versions } = context;
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
    choice(
      'Metric',
      'metric',
      metricOf(task, address.metric).column,
      METRICS[task].map(({ column, title }) => [column, title]),
      (metric) => ({ metric }),
    ),
    segments(
      'By',
      GRAINS.map((grain) => ({ label: grain, key: grain, pressed: grain === address.grain, go: { grain } })),
    ),
  );
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
  goTo({ ...here(), ...part });
}

/** One at least stays. */
function toggled(versions: readonly number[], version: number): number[] {
  if (!versions.includes(version)) return [...versions, version];
  return versions.length === 1 ? [...versions] : versions.filter((other) => other !== version);
}
