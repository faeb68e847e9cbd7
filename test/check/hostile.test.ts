import { describe, expect, test } from '@jest/globals';
import { PgscoreError } from '../../src/errors.ts';
import { checkModel } from '../../src/check/check-model.ts';
import type { ProbeOptions } from '../../src/check/check-model.ts';
import { deployOptions, hostileBytes, hostileModels } from '../support/golden-models.ts';

/** pgscore reads a list with commas as well as JSON. */
const READABLE = new Set(['names_not_json.onnx']);

describe('a model with one thing wrong', () => {
  const refused = hostileModels.filter(({ file, outcome }) => outcome !== 'usable' && !READABLE.has(file));
  test.each(refused.map(({ file, wrong }) => [file, wrong]))(
    'is refused with a reason and a remedy: %s, %s',
    async (file) => {
      const error = await refusalOf(file);
      expect(error.code).toMatch(/^model_/);
      expect(error.message.length).toBeGreaterThan(10);
      expect(error.remedy).toBeTruthy();
    },
  );

  test.each([
    ['external_data_in_function.onnx', 'model_external_data'],
    ['endless_loop.onnx', 'model_refused_operator'],
    ['disguised_loop.onnx', 'model_refused_operator'],
    ['function_bomb.onnx', 'model_too_complex'],
    ['batch_dependent.onnx', 'model_rows_mixed'],
    ['wrong_rows.onnx', 'model_output_rows'],
    ['more_rows.onnx', 'model_output_rows'],
    ['nan_output.onnx', 'model_output_nan'],
    ['infinite_output.onnx', 'model_output_nan'],
    ['sequence_output.onnx', 'model_outputs_unsupported'],
    ['complex_input.onnx', 'model_input_unsupported'],
    ['unknown_opset.onnx', 'model_load_failed'],
    ['huge_at_run.onnx', 'model_run_failed'],
    ['tree_feature_out_of_range.onnx', 'model_run_failed'],
    ['no_feature_names.onnx', 'model_feature_names_missing'],
    ['too_few_names.onnx', 'model_feature_names_wrong'],
    ['nul_in_name.onnx', 'model_feature_names_wrong'],
    ['nul_in_label.onnx', 'model_class_labels_wrong'],
  ])('%s is refused as %s', async (file, code) => {
    expect((await refusalOf(file)).code).toBe(code);
  });

  const withOptions = hostileModels.filter(({ outcome }) => outcome === 'refused_without_options');
  test.each(withOptions.map((model) => [model.file, model] as const))(
    'is usable once it is said: %s',
    async (file, model) => {
      const { signature } = await checkModel(hostileBytes(file), deployOptions(model.options ?? {}));
      expect(signature.features.length).toBeGreaterThan(0);
    },
  );

  const usable = hostileModels.filter(({ outcome }) => outcome === 'usable');
  test.each(usable.map(({ file }) => [file]))('is usable though it looks strange: %s', async (file) => {
    const { signature } = await checkModel(hostileBytes(file), {});
    expect(signature.features.length).toBeGreaterThan(0);
  });
});

async function refusalOf(file: string, options: ProbeOptions = {}): Promise<PgscoreError> {
  const outcome = await checkModel(hostileBytes(file), options).catch((error: unknown) => error);
  if (outcome instanceof PgscoreError) return outcome;
  throw new Error(`${file} was not refused`, { cause: outcome });
}
