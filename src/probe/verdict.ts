import type { ErrorCode } from '../errors.ts';
import type { ProbeReport } from './check-model.ts';

/** What the probe hands back beside the bytes to serve. `size` is their number, so that a cut-off answer shows. */
export type Verdict =
  | { readonly report: Omit<ProbeReport, 'served'>; readonly size: number | null }
  | { readonly refusal: { readonly code: ErrorCode; readonly message: string; readonly remedy?: string | undefined } };
