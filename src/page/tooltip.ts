/** A value in a statement that somebody is to copy. */
function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

export const DEPLOY_HINT = `select pgscore.deploy('churn', pg_read_binary_file('/path/to/churn.onnx'));
-- or from a shell: npx pgscore deploy churn churn.onnx`;

export const RUN_HINT = `select pgscore.score_table('churn', 'customers');`;

export function scoreHint(model: string): string {
  return `select pgscore.score_table(${literal(model)}, 'your_table', event_time => 'a_timestamp_column');`;
}

export function labelsHint(model: string): string {
  return `select pgscore.set_labels(${literal(model)}, 'your_outcomes', label => 'what_happened', known_at => 'when_it_was_known');`;
}

export function scheduleHint(model = 'churn'): string {
  return `select pgscore.schedule('nightly', '0 2 * * *', ${literal(model)}, 'your_table', target => 'your_scores');`;
}

/** Asks for the metrics of each target or label, of models that have no plots. */
export function valuesHint(model: string, task: string): string {
  const [view, metric] = task === 'multilabel' ? ['binary', 'accuracy'] : ['regression', 'mae'];
  return `select target, model_version, window_date, n_labeled, ${metric}, ${metric}_ci_low, ${metric}_ci_high
  from pgscore_bi.${view}_performance_monthly
 where model_name = ${literal(model)} and segment_key is null order by target, model_version, window_date;`;
}

export function labelSourceHint(model: string): string {
  return `select * from pgscore.label_sources where model = ${literal(model)};`;
}
