import type { Client } from 'pg';
import type { Random } from '../../../src/lib/random.ts';
import { ident, literal } from '../../../src/lib/text.ts';
import { pick } from '../../support/pick.ts';
import { scoreTable } from '../../support/run.ts';
import { type Answer, answerOfRows, answerOfTarget, disagreement, isRefused } from './answer.ts';
import type { Deployed, Kind } from './kinds.ts';
import { createRandomTable, dropRandomTable, type RandomTable, ROWS } from './random-table.ts';
import { ask, type Asked, randomSettings, typedWays, unboundWays, type Way, withSettings } from './ways.ts';

type Round = {
  readonly kind: Kind;
  readonly deployed: Deployed;
  readonly table: RandomTable;
  readonly reference: readonly Answer[];
};

/** Scores a random table by a run and in every other way; throws at the first difference. */
export async function playRound(alice: Client, random: Random, kind: Kind, deployed: Deployed): Promise<void> {
  const table = await createRandomTable(alice, random, kind, deployed);
  const reference = await scoredByRun(alice, kind, table);
  const round = { kind, deployed, table, reference };
  const asked = { model: kind.name, deployed, table, classes: classesOf(round) };
  const settings = randomSettings(random);
  await withSettings(alice, settings, () => askAll(alice, round, settings, { asked, isBound: false }));
  await askMany(alice, round);
  const names = [kind.name, table.relation];
  await alice.query('select pgscore.bind($1, $2::regclass)', names);
  const again = pick(random, [settings, {}]);
  await withSettings(alice, again, () => askAll(alice, round, again, { asked, isBound: true }));
  await alice.query('select pgscore.unbind($1, $2::regclass)', names);
  await alice.query(`select pgscore.drop_target('scored')`);
  await dropRandomTable(alice);
}

async function scoredByRun(
  alice: Client,
  { name }: Kind,
  { relation, key, statements }: RandomTable,
): Promise<readonly Answer[]> {
  const run = await scoreTable(alice, name, relation, { target: 'scored', key, error_limit: 1000 });
  if (run.state !== 'done') throw new Error(`the run of ${name} failed: ${run.error}\n${statements.join(';\n')}`);
  const read = `select to_jsonb(s) as row from scored s order by ${ident(key)}`;
  const { rows } = await alice.query<{ row: Record<string, unknown> }>(read);
  if (rows.length !== ROWS) throw new Error(`a run of ${ROWS} rows wrote ${rows.length}:\n${statements.join(';\n')}`);
  return rows.map(({ row }) => answerOfTarget(row, key));
}

/** The names by which score() is asked for a class. */
function classesOf({ deployed, reference }: Round): readonly string[] {
  if (deployed.task === 'clustering' || deployed.task === 'anomaly') return [];
  const [known] = reference.flatMap((answer) => (answer === null || 'failed' in answer ? [] : [answer.numbers]));
  return Object.keys(known ?? {});
}

async function askAll(
  alice: Client,
  round: Round,
  settings: Readonly<Record<string, string>>,
  { asked, isBound }: { readonly asked: Asked; readonly isBound: boolean },
): Promise<void> {
  const isShortened = Number(settings['extra_float_digits'] ?? 1) < 1;
  const ways = unboundWays(asked, isShortened);
  const executions = round.deployed.isNative ? ['auto', 'online', 'native'] : ['auto', 'online'];
  for (const execution of executions) {
    await alice.query(`select set_config('pgscore.execution', $1, false)`, [execution]);
    const all = isBound && execution === 'auto' ? [...ways, ...typedWays(asked, isShortened)] : ways;
    for (const way of all) {
      const { answers, statement } = await ask(alice, round.table, way);
      for (const [row, answer] of answers.entries())
        expectSame(
          round,
          row,
          answer,
          `${describe(way, isBound)}, ${settingsOf({ 'pgscore.execution': execution, ...settings })}\n${statement}${row}`,
        );
    }
  }
  await alice.query('reset pgscore.execution');
}
/** All rows that can be scored in one call, by the service and natively, as rows and as JSON. */
async function askMany(alice: Client, round: Round): Promise<void> {
  const { kind, deployed, table, reference } = round;
  const good = reference.flatMap((answer, row) => (answer !== null && 'failed' in answer ? [] : [row]));
  if (good.length === 0 || table.columns.some(({ type }) => type === 'char(12)')) return;
  for (const execution of deployed.isNative ? ['auto', 'native'] : ['auto']) {
    await alice.query(`select set_config('pgscore.execution', $1, false)`, [execution]);
    for (const element of ['r', 'to_jsonb(r)']) {
      // Three times over, so that they are enough to go as numbers.
      const array = `array(select ${element} from generate_series(1, 3) repeated (turn), ${table.relation} r where r.${ident(table.key)} = any ('{${good.join()}}') order by repeated.turn, r.${ident(table.key)})`;
      const statement = `select to_jsonb(s) - 'features' as said from pgscore.score_rows(${literal(kind.name)}, ${array}) s`;
      const rows = await alice.query<{ said: Record<string, unknown> }>(statement).then(
        (found) => found.rows,
        (error: unknown) => {
          if (!isRefused(String(error)))
            throw new Error(`${String(error)}\n${statement}\n${table.statements.join(';\n')}`);
        },
      );
      if (rows === undefined) continue;
      if (rows.length !== 3 * good.length)
        throw new Error(`${rows.length} rows come of ${3 * good.length}: ${statement}`);
      for (const [at, { said }] of rows.entries())
        expectSame(
          round,
          good[at % good.length] ?? -1,
          answerOfRows(said),
          `score_rows() of many, ${settingsOf({ 'pgscore.execution': execution })}\n${statement}`,
        );
    }
  }
  await alice.query('reset pgscore.execution');
}

function describe({ name }: Way, isBound: boolean): string {
  return isBound ? `${name}, bound` : name;
}

function settingsOf(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `set ${name} = '${value}'`)
    .join('; ');
}

function expectSame({ kind, table, reference }: Round, row: number, answer: Answer, way: string): void {
  const wanted = reference[row] ?? null;
  const wrong = disagreement(wanted, answer, kind.tolerance);
  if (wrong === undefined) return;
  const [insert] = table.statements.filter((statement) => statement.includes(`values (${row}, `));
  const made = table.statements.filter((statement) => !statement.startsWith('insert'));
  const report = [
    `model ${kind.name}, row ${row}: ${wrong}`,
    `by ${way}`,
    `it says ${JSON.stringify(answer)}`,
    `the run says ${JSON.stringify(wanted)}`,
  ];
  throw new Error([...report, ...made, insert].join('\n'));
}
