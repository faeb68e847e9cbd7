import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Runs the database tests on each PostgreSQL version named, or on all: `npm run test:matrix -- 15 16`. */

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '..', '..');
const SUPPORTED = ['15', '16', '17', '18'];
/** What is the same whatever the server, and asked of the newest one only; what a server decides of it, others ask of each. */
const IGNORED = [
  '/node_modules/',
  // What a browser shows; its questions are asked by page-api.
  '\\.page\\.test\\.ts$',
  // How processes are started, watched, stopped and told of, by each other and over networks, and what they do where somebody locks, changes or drops a table; runs/fences and runs/cancellation ask what the database has to say to it, sources/generations and sources/relations what a run reads.
  'test/server/',
  'test/faults/(calls-kept-once|cancel|commit-lost|dropped-handle|failed-snapshot|half-open|held-lock|many-services|refilled-source|scorer-death|server-restart|service-death|shutdown|slow-source|snapshot|start|stopped-check|terminated-connections|terminated-links|wake-up)\\.',
  'test/online/(gateway-lost|large-model|runner-bounds|runners|warm)\\.',
  'test/models/(corpus|hostile|slow-check)\\.',
  'test/service/rejections\\.',
  'test/monitor/(comparison-oracle|lost-comparison|webhook)\\.',
  'test/score/(attacked-gateway|deadly-call|faults|full-gateway|gateway-successor|local-socket|many-sessions|network-cut|older-gateway|promotion|service-lost)\\.',
  'test/scorer/(batch-rows|models|publication|reading-again|together)\\.',
  'test/security/canaries\\.',
  'test/runs/conductor-lost\\.',
  // What a watch says while its table is altered; watches/capture asks what triggers do meanwhile.
  'test/watches/(many|server-crash|trouble|two-services)\\.',
  // What scorers compare; watches/challenger and watches/following publish the same way.
  'test/runs/only-changed\\.',
  'test/http/http\\.',
  // What the command line prints, what Node programs call, the demo and the bench, which bring their own server, and the psql of this machine; commands/care and commands/sql look into the catalogues, story tells the same.
  'test/bench/',
  'test/client/',
  'test/commands/(alerts|cli|demo|story)\\.',
  'test/story-psql\\.',
  // What the docs show.
  'test/docs/',
  // How the package is made and installed, and what this side makes of sslmode.
  'test/(postgres/tls|install/package)\\.',
  // What only arithmetic decides; to-sql/operators and score/native-forms run compiled models, monitor/label-changes and the golden numbers the counting.
  'test/monitor/(alert-kinds|alert-rules|alert-sentences|alerts|auc-golden|calibration-months|cells|class-estimates|comparison-golden|counted-calls|curves-golden|drift-changes|drift-grains|drift-noise|drift-verdict|drift-windows|estimates|event-times-of-calls|extreme-golden|extreme-values|feature-counts|features|kept-blocks|label-age|label-counts|labelled-calls|log-error|maturity|missing-values|model-verdict|one-sided-delay|overruled-labels|predicted-vs-actual|quantiles|recent-labels|score-distribution|scored-again|segment-columns|segment-ranks|segments|slow-drops|tied-curves)\\.',
  // The same statements as ordinary-use, which each server is asked.
  'test/monitor/counting/(histories|year)\\.',
  'test/to-sql/(bundled-models|encoders|expected-rows|few-rows|missing-values|not-native|preprocessing|shared-tests|trees)\\.',
  'test/models/whole-path\\.',
  'test/schedules/cron-agreement\\.',
  // How names are quoted, what a version says of itself, and how ties are broken.
  'test/sources/names\\.',
  'test/(check|models)/(described-versions|versions)\\.',
  'test/score/ties\\.',
  // What the service keeps of calls, and what it says of rows; sources/casts, score/kept-calls and score/score-rows ask what a server makes of it.
  'test/sources/(error-limit|nulls)\\.',
  'test/score/(blocks|log|mistyped-features|nothing-said|number-rows|score-rows-refusals|slow-log)\\.',
].map((pattern) => `--testPathIgnorePatterns=${pattern}`);
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
  const { status } = spawnSync(process.execPath, [...flags, jest, '--selectProjects', 'database', ...IGNORED], {
    cwd: root,
    env,
    stdio: 'inherit',
  });
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
