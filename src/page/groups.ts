import { el } from './dom.ts';
import { navigateTo, here } from './navigate.ts';
import { PARTS, writeAddress, type Part } from './address.ts';

type Block = HTMLElement | { readonly element: HTMLElement };

export type Groups = {
  /** Links to each group. */
  readonly links: HTMLElement;
  readonly elements: readonly HTMLElement[];
  /** Scrolls to the group that the address names. */
  show(part: Part): void;
};

/** What a model's page is made of, in groups that its head leads to. */
export function groups(contents: Readonly<Record<Part, readonly Block[]>>): Groups {
  const made = PARTS.map((part) => ({ part, element: group(part, contents[part]) }));
  const show = (part: Part): void => made.find((one) => one.part === part)?.element.scrollIntoView();
  const link = (part: Part): HTMLElement => {
    const a = el('a', { href: '#/' }, titleOf(part));
    // The rest of the address may have changed since.
    a.addEventListener('click', (event) => {
      event.preventDefault();
      navigateTo({ ...here(), part }, true);
      show(part);
    });
    a.addEventListener('pointerenter', () => a.setAttribute('href', writeAddress({ ...here(), part })));
    return a;
  };
  return {
    links: el('nav', { class: 'groups', 'aria-label': 'Parts of this page' }, ...PARTS.map(link)),
    elements: made.map(({ element }) => element),
    show,
  };
}

function group(part: Part, blocks: readonly Block[]): HTMLElement {
  const inside = blocks.map((block) => ('element' in block ? block.element : block));
  return el(
    'section',
    { class: 'group stack', 'aria-labelledby': `group-${part}` },
    el('h2', { id: `group-${part}`, class: 'group-title' }, titleOf(part)),
    ...inside,
  );
}

function titleOf(part: Part): string {
  return `${part.charAt(0).toUpperCase()}${part.slice(1)}`;
}
