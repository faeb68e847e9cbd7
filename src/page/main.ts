import type { Address } from './address.ts';
import { ask, number, Refusal, refusedLately } from './api.ts';
import { el, here } from './dom.ts';
import { span } from './format.ts';
import { modelView } from './model-view.ts';
import { overview } from './overview.ts';
import { somethingRuns } from './operations-panels.ts';
import { onSchemeChange } from './theme.ts';
import type { View } from './panel.ts';

/** Accuracy changes when labels come; watches and runs while one looks. */
const REFRESH_MS = 15_000;
const AGAIN_MS = 2000;
const RUNS_MS = 1000;
const IDLE_RUNS_MS = 3000;

const main = document.querySelector('main') ?? document.body;
const state = document.querySelector('#state') ?? el('p');
let shown: { view: View; model: string | undefined } | undefined;
let ran = false;
let refreshedAt = 0;

function viewOf({ model }: Address): View {
  if (shown !== undefined && shown.model === model) return shown.view;
  shown?.view.close();
  const view = model === undefined ? overview() : modelView(model);
  if (shown !== undefined) main.focus({ preventScroll: true });
  shown = { view, model };
  main.replaceChildren(view.element);
  document.title = `${view.title} · pgscore`;
  scrollTo(0, 0);
  return view;
}

async function refresh(): Promise<void> {
  refreshedAt = performance.now();
  const address = here();
  try {
    await viewOf(address).refresh(address);
    state.textContent = freshness(number((await ask('health'))[0], 'freshness_seconds'));
  } catch (error) {
    tell(error);
  }
}

/** Soon again where something could not be answered. */
async function refreshWhenDue(): Promise<void> {
  if (refusedLately() || performance.now() - refreshedAt > REFRESH_MS) await refresh();
}

/** Looks at watches, at the runs while one goes on, and at everything once it has ended. */
async function follow(): Promise<void> {
  let runs = false;
  try {
    await shown?.view.refreshWatches();
    runs = await somethingRuns();
    if (runs || ran) await shown?.view.refreshRuns();
    if (ran && !runs) await refresh();
  } catch (error) {
    tell(error);
  }
  ran = runs;
}

function tell(error: unknown): void {
  if (!(error instanceof Refusal)) throw error;
  if (error.code === 'login') location.reload();
  state.textContent = error.message;
}

function freshness(seconds: number | null): string {
  return seconds === null ? '' : `accuracy last changed ${span(seconds)} ago`;
}

/** Again and again, but not while nobody looks. */
function keep(work: () => Promise<void>, pause: () => number): void {
  const again = (): void => {
    const turn = document.hidden ? Promise.resolve() : work();
    void turn.finally(() => setTimeout(again, pause()));
  };
  setTimeout(again, pause());
}

addEventListener('hashchange', () => void refresh());
document.addEventListener('visibilitychange', () => void (document.hidden ? undefined : refresh()));
onSchemeChange(() => void refresh());
void refresh();
keep(refreshWhenDue, () => AGAIN_MS);
keep(follow, () => (ran ? RUNS_MS : IDLE_RUNS_MS));
