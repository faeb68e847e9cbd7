import { readAddress, writeAddress, type Address } from './address.ts';

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
