import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Runs what breaks most between versions on each PostgreSQL named, or on all: `npm run test:matrix -- 15 16`. With
 * PGSCORE_TEST_NIGHT=1, all that a server decides.
 */

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '..', '..');
const SUPPORTED = ['15', '16', '17', '18'];
/** What breaks most between versions, about a minute: the installation, COPY, triggers, rights, native forms and plans, one story. */
const BREAKS_FIRST = [
  'story\\.',
  'copy/',
  'install/(migrate|schema)\\.',
  'security/catalogue\\.',
  'to-sql/shapes\\.',
  'watches/capture\\.',
  'monitor/(contract|label-capture)\\.',
  'score/(grants|log|native-forms)\\.',
];
/** What a server decides: plans, locks, catalogs, rights, COPY, triggers and what an installation makes of them. All else is asked of the newest one only. */
const DECIDED = [
  'story\\.',
  'copy/',
  'install/(adopt|dumped|migrate|named-arguments|older-states|schema|uninstall|written-again)\\.',
  'postgres/(connect|connection|pipeline)\\.',
  'security/(?!canaries)',
  'commands/care\\.',
  'to-sql/(operators|real-columns|shapes)\\.',
  'sources/(?!names|error-limit|nulls)',
  'runs/(cancellation|drop-generation|fences)\\.',
  'faults/slow-source\\.',
  'schedules/(fire-due|schedule-function)\\.',
  'experiments/(arms|replay|results|shadow-backlog|split-runs)\\.',
  'watches/(capture|captured|comparing|following|logical-replication|polling|upkeep)\\.',
  'score/(altered-columns|bindings|bindings-altered|bindings-held|bindings-limits|buckets|calls|cancels|computed-calls)\\.',
  'score/(grants|native-forms|native-objects|nested-calls|one-version|open-dblink|planned-version)\\.',
  'score/(log|replica|restored-copy|score-rows|subquery-rows|values)\\.',
  'monitor/(bi/|counting/ordinary-use|comparisons|contract|drift-golden|estimates-golden|forget|gates|golden|intervals)',
  'monitor/(label-capture|label-changes|labels|plans|retention|waiting-commands|zones-golden)\\.',
];
const CHOSEN = (process.env.PGSCORE_TEST_NIGHT === '1' ? DECIDED : BREAKS_FIRST).map((pattern) => `/test/${pattern}`);
const NOTHING = { passed: 0, failed: 0, skipped: 0 };

const versions = process.argv.length > 2 ? process.argv.slice(2) : SUPPORTED;
const unknown = versions.filter((version) => !SUPPORTED.includes(version));
if (unknown.length > 0) {
  console.error(`no such version: ${unknown.join(', ')}; there are ${SUPPORTED.join(', ')}`);
  process.exit(2);
}

if (versions.some((version) => version !== '18' && !hasDebians(version))) installOlderVersions();
const results = versions.map((version) => ({ version, ...testOn(version) }));
for (const { version, ...counts } of results) console.log(`PostgreSQL ${version}: ${sentence(counts)}`);
const total = results.reduce(add, NOTHING);
const tally = process.env.PGSCORE_TEST_TALLY;
if (tally === undefined) console.log(sentence(total));
else appendFileSync(tally, `${sentence(total)}\n`);
process.exit(total.failed === 0 ? 0 : 1);

/** As test/support/test-server.ts looks for it. */
function hasDebians(version) {
  return existsSync(`/usr/lib/postgresql/${version}/bin/postgres`);
}

/** They are not among the product's own dependencies, so that `npm ci` stays light. */
function installOlderVersions() {
  if (existsSync(join(here, 'node_modules', '.package-lock.json'))) return;
  const { status } = spawnSync('npm', ['ci', '--prefix', here, '--no-audit', '--no-fund'], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

/** The counts of one Jest run; a run that ends without a result counts as one failure. */
function testOn(version) {
  const folder = mkdtempSync(join(tmpdir(), 'pgscore-matrix-'));
  const result = join(folder, 'tally');
  const env = { ...process.env, PGSCORE_TEST_PG: version, PGSCORE_TEST_TALLY: result };
  const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
  const flags = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  const { status } = spawnSync(
    process.execPath,
    [...flags, jest, '--selectProjects', 'database', '--testPathPatterns', ...CHOSEN],
    {
      cwd: root,
      env,
      stdio: 'inherit',
    },
  );
  const counts = existsSync(result) ? parse(readFileSync(result, 'utf8')) : NOTHING;
  rmSync(folder, { recursive: true });
  return status !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
}

function parse(line) {
  const [passed, failed, skipped] = (line.match(/\d+/g) ?? []).map(Number);
  return { passed, failed, skipped };
}

function add(left, right) {
  return {
    passed: left.passed + right.passed,
    failed: left.failed + right.failed,
    skipped: left.skipped + right.skipped,
  };
}

function sentence({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
