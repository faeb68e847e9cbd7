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

/** `targets` of a model that gives several values, each with a truth of its own. */
export function labelsHint(model: string, targets: readonly string[] = []): string {
  const label = targets.length === 0 ? "'what_happened'" : `array[${targets.map(literal).join(', ')}]`;
  return `select pgscore.set_labels(${literal(model)}, 'your_outcomes', label => ${label}, known_at => 'when_it_was_known');`;
}

export function scheduleHint(model = 'churn'): string {
  return `select pgscore.schedule('nightly', '0 2 * * *', ${literal(model)}, 'your_table', target => 'your_scores');`;
}

export function labelSourceHint(model: string): string {
  return `select * from pgscore.label_sources where model = ${literal(model)};`;
}
