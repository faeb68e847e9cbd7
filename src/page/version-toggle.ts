import { el } from './dom.ts';
import { goTo, here } from './navigate.ts';
import { ofMonth, type ModelContext } from './model-context.ts';

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
        onclick: () => goTo({ ...here(), previous: version === before }),
      },
      name,
    );
  const buttons = [
    button(context.focus, `version ${context.focus}`),
    button(before, `version ${before}, the one before`),
  ];
  return [el('div', { class: 'segments', role: 'group', 'aria-label': 'Version that decided' }, ...buttons)];
}
