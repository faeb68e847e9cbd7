import { CompileThread } from '../to-sql/compile-thread.ts';
import { givenRows } from '../to-sql/given-rows.ts';
import type { ProbeOptions, ProbeReport, RowsFor } from './check-model.ts';
import { probeModel, type ProbeLimits } from './probe-model.ts';
import type { ToProve } from './make-native.ts';

/**
 * Checks a model and compiles it: each in a place of its own, at the same time. The compiler says on which rows the functions are to
 * be proven, the check says what ONNX Runtime makes of them. `refusal`: why it is not to be compiled.
 * @throws PgscoreError as `probeModel` does
 */
export async function probeAndCompile(
  model: Uint8Array,
  options: ProbeOptions,
  limits: ProbeLimits,
  refusal?: string,
): Promise<{ report: Omit<ProbeReport, 'reference'>; toProve: ToProve }> {
  if (refusal !== undefined) {
    const { reference, ...report } = await probeModel(model, options, limits);
    return { report, toProve: { compiled: { refusal }, rows: [], reference } };
  }
  const thread = new CompileThread();
  const rowsFor: RowsFor = async ({ signature, served }) => {
    try {
      thread.compile({ bytes: served ?? model, signature, given: givenRows(signature, options.expect ?? []) });
      return await thread.rows;
    } catch (error) {
      // It was asked nothing, and is waited for.
      await thread.stop();
      throw error;
    }
  };
  try {
    const { reference, ...report } = await probeModel(model, options, limits, rowsFor);
    return { report, toProve: { compiled: await thread.compiled, rows: (await thread.rows) ?? [], reference } };
  } finally {
    await thread.stop();
  }
}
