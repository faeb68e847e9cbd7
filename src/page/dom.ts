import { readAddress, writeAddress, type Address } from './address.ts';

type Child = Node | string | undefined | false;
type Properties = Readonly<Record<string, string | number | boolean | ((event: Event) => void) | undefined>>;

/**
 * An element. Strings become text, never markup: names come from people who may mean harm. `on…` properties are listeners,
 * others attributes; true is an empty attribute, false and undefined none.
 */
export function el<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  properties: Properties = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) setProperty(element, name, value);
  element.append(...children.filter((child) => child !== undefined && child !== false));
  return element;
}

export function svg(tag: string, attributes: Readonly<Record<string, string>>, ...children: Node[]): SVGElement {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function setProperty(element: HTMLElement, name: string, value: Properties[string]): void {
  if (value === undefined || value === false) return;
  if (typeof value === 'function') element.addEventListener(name.replace(/^on/, ''), value);
  else element.setAttribute(name, value === true ? '' : String(value));
}

/** What the page shows now. */
export function here(): Address {
  return readAddress(location.hash);
}

/** Goes there; with `quietly`, as a slider moves, nothing is drawn anew and no step is added to the history. */
export function navigateTo(address: Address, quietly = false): void {
  const hash = writeAddress(address);
  if (quietly) history.replaceState(null, '', hash);
  else location.hash = hash;
}
