export const FEATURES = Array.from({ length: 20 }, (_, index) => `f${index}`);
export const COPY_OUT = 'copy source to stdout (format binary)';
export const COPY_IN =
  'copy target (id, score, label, probability_no, probability_yes, error_code) from stdin (format binary)';

/** A source of bigint + 20 real, and a target for the predictions of a binary classifier. */
export async function makeTables(client, rows) {
  const values = FEATURES.map((name) => `random()::real as ${name}`).join(', ');
  const source = `create table source as select id::int8, ${values} from generate_series(1, ${rows}) id`;
  await client.query(source);
  await client.query('vacuum analyze source');
  await client.query(`create table target (id int8, score float8, label text, probability_no float8, probability_yes float8,
    error_code text)`);
}
