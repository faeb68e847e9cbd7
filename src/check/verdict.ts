import type { ErrorCode } from '../errors.ts';
import type { JsonRow } from '../inference/json-rows.ts';
import type { ProbeReport, Settled } from './check-model.ts';

/** The head of what the probe is asked once a model is settled. */
export type Asked = { readonly rows: readonly JsonRow[] | null };

/**
 * The heads of what the probe hands back: what it settled, with the bytes to serve behind it, and then the rest. A refusal
 * comes in the place of either.
 */
export type Verdict =
  | { readonly settled: Omit<Settled, 'served'>; readonly changed: boolean }
  | { readonly report: Omit<ProbeReport, keyof Settled> }
  | { readonly refusal: Refusal };

export type Refusal = { readonly code: ErrorCode; readonly message: string; readonly remedy?: string | undefined };
