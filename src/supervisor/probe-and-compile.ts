import { CompileThread } from '../native/compile-thread.ts';
import type { ProbeOptions, ProbeReport, Settled } from '../probe/check-model.ts';
import { probeModel, type ProbeLimits } from '../probe/probe-model.ts';
import type { ToProve } from './make-native.ts';

/**
 * Checks a model and compiles it: each in a place of its own, at the same time. The compiler says on which rows the functions are to
 * be proven, the check says what ONNX Runtime makes of them.
 * @throws PgscoreError as `probeModel` does
 */
export async function probeAndCompile(
  model: Uint8Array,
  options: ProbeOptions,
  limits: ProbeLimits,
): Promise<ProbeReport & ToProve> {
  const thread = new CompileThread();
  const rowsFor = ({ signature, served }: Settled): CompileThread['rows'] => {
    thread.compile({ bytes: served ?? model, signature, given: options.expect ?? [] });
    return thread.rows;
  };
  try {
    const report = await probeModel(model, options, limits, rowsFor);
    return { ...report, compiled: await thread.compiled, rows: (await thread.rows) ?? [] };
  } finally {
    await thread.stop();
  }
}
