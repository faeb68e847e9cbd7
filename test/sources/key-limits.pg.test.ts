import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { addReadyModel } from '../support/ready-model.ts';
import { refusal } from '../support/refusal.ts';

const database = await cloneDatabase();
await addReadyModel(await database.client(), 'model');
const alice = await database.client('alice');

const columns = (count: number): string[] => Array.from({ length: count }, (_, n) => `k${n + 1}`);

async function createSource(name: string, count: number, constraint = ''): Promise<void> {
  const definitions = columns(count).map((column) => `${column} int not null`);
  const create = `create table ${name} (${definitions.join(', ')}, x real${constraint})`;
  await alice.query(create);
}

const TOO_MANY = {
  code: '54011',
  message: 'the key of alice.wide has 32 columns; 31 is the limit',
  hint: "Name fewer that identify a row: key => array['a', 'b']; or score a view that makes one of them, such as row(a, b)::text as id, and name that.",
};

test('a primary key of as many columns as an index takes is refused with the limit', async () => {
  await createSource('wide', 32, `, primary key (${columns(32).join(', ')})`);
  expect(await refusal(alice, "select pgscore.score_table('model', 'wide')")).toEqual({
    ...TOO_MANY,
    detail: undefined,
  });
});

test('so is a key that is asked for', async () => {
  const score = "select pgscore.score_table('model', 'wide', key => $1::text[])";
  expect(await refusal(alice, score, [columns(32)])).toMatchObject(TOO_MANY);
});

test('a key of one column less is taken', async () => {
  const { rows } = await alice.query<{ run: string }>(
    "select pgscore.score_table('model', 'wide', key => $1::text[]) as run",
    [columns(31)],
  );
  expect(rows).toEqual([{ run: expect.any(String) }]);
});

test.each([
  ['has a primary key', ', primary key (k1)'],
  ['has none', ''],
])('an empty key of a source that %s is refused as what it is', async (name, constraint) => {
  const source = name.replaceAll(' ', '_');
  await createSource(source, 1, constraint);
  const score = `select pgscore.score_table('model', '${source}', key => '{}'::text[])`;
  expect(await refusal(alice, score)).toMatchObject({
    code: '22023',
    message: "key => '{}' names no column",
    hint: "Say what identifies a row: key => 'id', or key => array['a', 'b']; without key it is the primary key.",
  });
});

test('a source whose name leaves no room for those of its views is scored once a target is named', async () => {
  const name = 'a_source_with_a_name_that_says_all_there_is_to_say_of_it';
  await createSource(name, 1, ', primary key (k1)');
  expect(await refusal(alice, `select pgscore.score_table('model', '${name}')`)).toMatchObject({
    code: '42622',
    message: `target name "${name}_scores" is longer than 55 bytes`,
    hint: "Choose a shorter one: target => '…'; the history view appends _history to it.",
  });
  await alice.query("select pgscore.score_table('model', $1, target => 'said')", [name]);
});
