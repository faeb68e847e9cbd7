// Apart from alerts-panel.ts: it is tested without a browser.
import { text, type Row } from './api.ts';

/** From when to when an alert was raised. */
export type OpenAlert = { readonly alert: string; readonly from: number; readonly to: number; readonly ended: boolean };

/** What was raised and resolved, from the events of both, in whatever order; what was not resolved is raised still. */
export function openAlertsIn(events: readonly Row[], now: number): OpenAlert[] {
  const open = new Map<string, number>();
  const raised: OpenAlert[] = [];
  const inOrder = events.toSorted((one, other) => text(one, 'event_at').localeCompare(text(other, 'event_at')));
  for (const event of inOrder) {
    const alert = nameOf(event);
    const at = Date.parse(text(event, 'event_at'));
    const from = open.get(alert);
    if (text(event, 'event') !== 'resolved') {
      open.set(alert, from ?? at);
    } else if (from !== undefined) {
      raised.push({ alert, from, to: at, ended: true });
      open.delete(alert);
    }
  }
  return [...raised, ...[...open].map(([alert, from]) => ({ alert, from, to: now, ended: false }))];
}

function nameOf(event: Row): string {
  return [text(event, 'alert'), text(event, 'column_name')].filter((word) => word !== '').join(', ');
}
