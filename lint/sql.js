/** Holds the limits of SQL files, and that sql/order.txt lists each file once. */
import { readdirSync, readFileSync } from 'node:fs';

const MAX_LINES = 300;
const MAX_WIDTH = 140;

const sqlIn = (folder) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.sql'))
    .map((name) => `${folder}/${name}`)
    .toSorted();

const files = sqlIn('sql');
const listed = readFileSync('sql/order.txt', 'utf8')
  .split('\n')
  .filter(Boolean)
  .map((name) => `sql/${name}`);
const problems = [];

for (const file of [...files, ...sqlIn('migrations')]) {
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  for (const [index, line] of lines.entries()) {
    if (line.length > MAX_WIDTH) problems.push(`${file}:${index + 1}: longer than ${MAX_WIDTH} characters`);
  }
  // A migration is read once, by topic, and never edited after its release.
  if (file.startsWith('sql/') && lines.length > MAX_LINES) problems.push(`${file}: longer than ${MAX_LINES} lines`);
}
for (const file of files) {
  const times = listed.filter((name) => name === file).length;
  if (times !== 1) problems.push(`sql/order.txt lists ${file} ${times} times`);
}
for (const file of listed)
  if (!files.includes(file)) problems.push(`sql/order.txt lists ${file}, which does not exist`);

for (const problem of problems) console.error(problem);
process.exitCode = problems.length > 0 ? 1 : 0;
