const WHOLE = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const COMPACT = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

export const NOTHING = '–';

export function count(value: number | null | undefined): string {
  return value === null || value === undefined ? NOTHING : WHOLE.format(value);
}

export function compact(value: number | null | undefined): string {
  return value === null || value === undefined ? NOTHING : COMPACT.format(value);
}

export function percent(value: number | null | undefined, digits = 1): string {
  return value === null || value === undefined ? NOTHING : `${(value * 100).toFixed(digits)} %`;
}

/** Four digits, as many of them behind the point as the size leaves. */
export function decimal(value: number | null | undefined): string {
  if (value === null || value === undefined) return NOTHING;
  const size = Math.abs(value);
  if (size >= 10_000) return WHOLE.format(value);
  return value.toFixed(size >= 1000 ? 0 : size >= 100 ? 1 : size >= 10 ? 2 : 3);
}

/** From a lower bound to an upper one; empty where there is none. */
export function interval(low: number | null, high: number | null): string {
  return low === null ? '' : `${decimal(low)} to ${decimal(high)}`;
}

/** A day, or a month where `month` says so. */
export function day(text: string | null | undefined, month = false): string {
  const [year, number, date] = (text ?? '').slice(0, 10).split('-');
  if (date === undefined) return NOTHING;
  const name = `${MONTHS[Number(number) - 1]} ${year}`;
  return month ? name : `${Number(date)} ${name}`;
}

export function moment(text: string | null | undefined): string {
  if (text === null || text === undefined) return NOTHING;
  const at = new Date(text);
  const pad = (part: number): string => String(part).padStart(2, '0');
  return `${at.getDate()} ${MONTHS[at.getMonth()]} ${at.getFullYear()}, ${pad(at.getHours())}:${pad(at.getMinutes())}`;
}

export function ago(text: string | null | undefined, now = Date.now()): string {
  if (text === null || text === undefined) return 'never';
  return `${span((now - Date.parse(text)) / 1000)} ago`;
}

/** A short time to two digits, a longer one as a span. */
export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || seconds >= 10) return span(seconds);
  return seconds < 1 ? `${Math.round(Math.max(0, seconds) * 1000)} ms` : `${seconds.toFixed(1)} s`;
}

export function span(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return NOTHING;
  if (seconds < 60) return `${Math.max(0, Math.round(seconds))} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  const days = Math.round(seconds / 86_400);
  return days < 730 ? `${days} days` : `${Math.round(days / 365.25)} years`;
}

/** A reason and a remedy behind each other. A reason of an error has no full stop. */
export function sentences(...parts: readonly string[]): string {
  const said = parts.filter((part) => part !== '');
  return said.map((part) => (/[.:!?]$/.test(part) ? part : `${part}.`)).join(' ');
}
