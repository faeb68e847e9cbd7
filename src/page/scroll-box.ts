import { el } from './dom.ts';

/** A box that scrolls, and shows at its edges where more is hidden; `label` is for whoever does not see it. */
export function scrollBox(label: string | undefined, content: HTMLElement, kind = ''): HTMLElement {
  const named = label === undefined ? {} : { role: 'region', 'aria-label': label };
  const inner = el('div', { class: `scroll ${kind}`.trim(), tabindex: 0, ...named }, content);
  const frame = el('div', { class: 'scroll-frame' }, inner);
  const cue = el('p', { class: 'sideways', 'aria-hidden': 'true' }, 'Scroll sideways for more');
  const mark = (): void => {
    const { scrollLeft, scrollTop, clientWidth, clientHeight, scrollWidth, scrollHeight } = inner;
    const hidden = [
      scrollLeft > 1 && 'left',
      scrollLeft + clientWidth < scrollWidth - 1 && 'right',
      scrollTop + clientHeight < scrollHeight - 1 && 'down',
    ];
    frame.dataset['more'] = hidden.filter((side) => side !== false).join(' ');
  };
  inner.addEventListener('scroll', mark, { passive: true });
  // It is told of the first layout, too, and of that of a table in <details> that is opened.
  new ResizeObserver(mark).observe(inner);
  return el('div', { class: 'scroll-box' }, frame, cue);
}
