import { el } from './dom.ts';
import { keepFocus } from './focus.ts';
import type { ModelContext } from './model-context.ts';

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
