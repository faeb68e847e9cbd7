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
