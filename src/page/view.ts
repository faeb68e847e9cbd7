import type { Address } from './address.ts';

/** One of the screens: it stands in the page until the address leads to another. */
export type View = {
  readonly element: HTMLElement;
  readonly title: string;
  /** Brings everything up to date; panels that did not change are left alone. */
  refresh(address: Address): Promise<void>;
  /** Brings what goes on just now up to date. */
  refreshRuns(): Promise<void>;
  close(): void;
};
