import { describe, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { childrenOf, cpuSeconds, startedWith } from '../support/processes.ts';
import { refusal } from '../support/refusal.ts';
import { startTestService } from '../support/service.ts';
import { ENDLESS, SLOW_SIGNATURE, SLOW_X, slowModel } from '../support/slow-model.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';
import { addVersion, gatewayOf, versionIdOf } from './online.ts';
import { fieldsOf, queryPacket, rowsOf, WireClient } from './wire-client.ts';

const database = await cloneDatabase();
const superuser = await database.client();
const add = (name: string, steps: number): Promise<number> =>
  addVersion(superuser, name, slowModel(steps), SLOW_SIGNATURE);
const [hanging, bystander, crashing, slow, crowded, last] = [
  await add('hanging', ENDLESS),
  await add('bystander', ENDLESS),
  await add('crashing', ENDLESS),
  await add('slow', 1500),
  await add('crowded', 4000),
  await add('last', ENDLESS),
];
const service = await startTestService(database, { PGSCORE_GATEWAY_PASSWORD: 'canary-of-the-gateway' });
await deployBytes(await database.client('ada'), 'sums', weightedModel({ x: 'float64' }));
const sums = await versionIdOf(superuser, 'sums@1');
const { pid: gatewayPid, port, password } = await gatewayOf(service);

type Asked = { readonly error?: Record<string, string>; readonly rows?: unknown };

/** Asks on a connection of its own. */
async function ask(versionId: number, x: number, deadline = 30_000): Promise<Asked> {
  const client = await WireClient.login(port, password);
  const answer = await client.ask(
    `score ${JSON.stringify({ version: versionId, role: 'alice', deadline })}\n${JSON.stringify([{ x }])}`,
  );
  client.destroy();
  const [first] = answer;
  return first?.type === 'E' ? { error: fieldsOf(first) } : { rows: rowsOf(answer) };
}

/** Asks for the row that takes long. */
function scorePacket(version: number, deadline = 30_000): Buffer {
  return queryPacket(`score ${JSON.stringify({ version, role: 'alice', deadline })}\n{"x": ${SLOW_X}}`);
}

async function metric(name: string): Promise<number> {
  const metrics = await (await fetch(`${service.url}/metrics`)).text();
  return Number(
    metrics
      .split('\n')
      .find((line) => line.startsWith(`${name} `))
      ?.split(' ')[1],
  );
}

/** How many runs of 9 to 16 rows there were. */
async function runsOfSome(): Promise<number> {
  const [most, less] = await Promise.all(
    [16, 8].map((rows) => metric(`pgscore_score_batch_rows_bucket{le="${rows}"}`)),
  );
  return most! - less!;
}

/** How long whoever asks for what hangs waits: a hung runner is killed when it has computed for five seconds and nobody waits for it. */
const HANGS_MS = 4500;

const answerOf = (x: number): unknown => [[String(x), null, null]];

describe('a model that hangs on a row', () => {
  test('keeps nobody past the deadline, nor others waiting meanwhile, nor its own other rows', async () => {
    expect((await ask(hanging, 2)).rows).toEqual(answerOf(2));
    const client = await WireClient.login(port, password);
    const began = performance.now();
    client.send(scorePacket(hanging, HANGS_MS));
    for (const versionId of [hanging, bystander, sums, bystander])
      expect((await ask(versionId, 3)).rows).toEqual(answerOf(3));
    expect(client.replies).toEqual([]);
    const [error] = await client.answer();
    expect(fieldsOf(error!)).toMatchObject({ C: '57014' });
    const ms = performance.now() - began;
    expect(ms).toBeGreaterThan(HANGS_MS - 1);
    expect(ms).toBeLessThan(HANGS_MS + 3500);
    client.destroy();
  });

  test('is answered by SQL by its deadline', async () => {
    await superuser.query(
      `insert into pgscore_data.alias (model_id, alias, version_id)
       select model_id, 'champion', version_id from pgscore_data.version where version_id = $1`,
      [hanging],
    );
    const alice = await database.client('alice');
    await alice.query('set pgscore.deadline = 1500');
    const began = performance.now();
    expect(await refusal(alice, `select score('hanging', '{"x": ${SLOW_X}}')`)).toMatchObject({ code: '57014' });
    expect(performance.now() - began).toBeLessThan(6000);
  });

  test('twice is refused for a while, which the log says, and the gateway and others live on', async () => {
    await waitFor(() => /as the second time, it is refused for \d+ minutes/.test(service.log()), {
      message: 'the log of the refusal',
      timeout: 60_000,
    });
    expect(service.log()).toContain(`version ${hanging} hung, and the process that ran it is killed`);
    expect((await ask(hanging, SLOW_X)).error).toMatchObject({
      C: '55000',
      M: expect.stringContaining('twice within ten minutes'),
      H: expect.stringContaining('Promote another version'),
    });
    expect((await ask(bystander, 3)).rows).toEqual(answerOf(3));
    expect((await gatewayOf(service)).pid).toBe(gatewayPid);
  });
});

/** CPU seconds of each runner, when none has used any from one look to the next, many times: one that is starting computes, too. */
async function atRest(): Promise<Map<number, number>> {
  let [last, unchanged] = ['', 0];
  return waitFor(async () => {
    const used = new Map((await childrenOf(gatewayPid)).map((pid) => [pid, cpuSeconds(pid)]));
    const now = JSON.stringify([...used]);
    [last, unchanged] = [now, now === last ? unchanged + 1 : 0];
    return unchanged >= 50 ? used : undefined;
  });
}

test('a model that takes long is answered when it is done, others and its own other rows before', async () => {
  expect((await ask(slow, 1)).rows).toEqual(answerOf(1));
  const settled: string[] = [];
  const note =
    (name: string) =>
    (answer: Asked): Asked => {
      settled.push(name);
      return answer;
    };
  const before = await atRest();
  const long = ask(slow, SLOW_X, 60_000).then(note('long'));
  // Stopped in the middle, so that it is not done before another runner has started, which may take as long.
  const about = await waitFor(
    async () =>
      (await childrenOf(gatewayPid)).find((pid) => cpuSeconds(pid) - (before.get(pid) ?? cpuSeconds(pid)) > 0.1),
    { message: 'a runner that computes' },
  );
  process.kill(about, 'SIGSTOP');
  try {
    const quick = [ask(bystander, 5).then(note('bystander')), ask(slow, 6).then(note('own'))];
    expect((await Promise.all(quick)).map(({ rows }) => rows)).toEqual([answerOf(5), answerOf(6)]);
  } finally {
    process.kill(about, 'SIGCONT');
  }
  expect((await long).rows).toEqual(answerOf(SLOW_X));
  expect(settled.at(-1)).toBe('long');
});

test('rows of calls that are computed together, in a runner that is detached, are each answered in the order of their call', async () => {
  expect((await ask(crowded, 1)).rows).toEqual(answerOf(1));
  const given = [[SLOW_X], [5, 3, 4], [9], [8, SLOW_X, 6, 7], [2, 1], [15, 14, 13, 12, 11]];
  const clients = await Promise.all(given.map(() => WireClient.login(port, password)));
  const send = (index: number): void => {
    const rows = JSON.stringify(given[index]!.map((x) => ({ x })));
    const head = JSON.stringify({ version: crowded, role: 'alice', deadline: 60_000 });
    clients[index]!.send(queryPacket(`score ${head}\n${rows}`));
  };
  // The first is run alone. The others wait until it is detached, or for another runner, and are run together.
  send(0);
  await waitFor(async () => (await metric('pgscore_score_queue_calls')) === 1, { message: 'the first call' });
  for (const index of given.keys()) if (index > 0) send(index);
  const answers = Promise.all(clients.map(async (client) => rowsOf(await client.answer())));
  await waitFor(async () => (await runsOfSome()) === 1, { message: 'one run of all others', timeout: 30_000 });
  expect((await ask(bystander, 3)).rows).toEqual(answerOf(3));
  expect(clients.flatMap(({ replies }) => replies)).toEqual([]);
  expect(await answers).toEqual(given.map((xs) => xs.map((x) => [String(x), null, null])));
  for (const client of clients) client.destroy();
});

test('a runner that is killed in the middle of a run costs that call an error, and nobody else', async () => {
  expect(await ask(crashing, 1)).toMatchObject({ rows: answerOf(1) });
  const client = await WireClient.login(port, password);
  client.send(scorePacket(crashing));
  // Is answered by another runner, once that one was detached.
  expect((await ask(crashing, 2)).rows).toEqual(answerOf(2));
  const killed = await childrenOf(gatewayPid);
  for (const pid of killed) process.kill(pid, 'SIGKILL');
  const [error] = await client.answer();
  expect(fieldsOf(error!)).toMatchObject({ C: 'XX000', H: expect.any(String) });
  client.destroy();
  // Two died; what is sent to one of which the gateway has not heard that yet is of its run.
  await waitFor(async () => (await childrenOf(gatewayPid)).every((pid) => !killed.includes(pid)), {
    message: 'both ends',
  });
  for (const versionId of [crashing, bystander, sums])
    expect(await ask(versionId, 7)).toMatchObject({ rows: answerOf(7) });
  expect((await gatewayOf(service)).pid).toBe(gatewayPid);
});

test('a runner has no credentials', async () => {
  await ask(bystander, 1);
  const runners = await childrenOf(gatewayPid);
  expect(runners.length).toBeGreaterThan(0);
  for (const pid of runners) expect(await startedWith(pid)).not.toMatch(/canary|postgres(ql)?:|PGPASS|PGSCORE/);
});

test('runners end with a gateway that is killed, one that hangs too', async () => {
  await ask(last, 1);
  const client = await WireClient.login(port, password);
  client.send(scorePacket(last));
  await ask(bystander, 1);
  const runners = await childrenOf(gatewayPid);
  expect(runners.length).toBeGreaterThan(0);
  process.kill(gatewayPid, 'SIGKILL');
  await waitFor(() => runners.every((pid) => !isAlive(pid)), { message: 'the end of the runners' });
  client.destroy();
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
