import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Client } from 'pg';

import { gatewayOf } from '../online/online.ts';
import { clientFinal, int32, message, packet, saslInitial, startPacket, WireClient } from '../online/wire-client.ts';
import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { residentMib } from '../support/processes.ts';
import { refusal } from '../support/refusal.ts';
import { serverVersionOf } from '../support/server-version.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';

const PASSWORD = 'canary-of-the-gateway';
const MOST = 12;
/** So many may be there before they have logged in; then the next has one sent away. */
const MOST_STRANGERS = MOST / 2;
const ROUNDS = 40;

const database = await cloneDatabase();
const service = await startTestService(database, {
  PGSCORE_GATEWAY_MAX_CONNECTIONS: String(MOST),
  PGSCORE_GATEWAY_PASSWORD: PASSWORD,
});
const { port, user, password } = await gatewayOf(service);
const [superuser, alice] = [await database.client(), await caller()];

async function caller(): Promise<Client> {
  const client = await database.client('alice');
  await client.query('set pgscore.execution = online');
  return client;
}

async function score(client: Client, a = 1): Promise<unknown> {
  const text = `select score('sum', jsonb_build_object('a', $1::int, 'b', 2)) as score`;
  return (await client.query<{ score: number }>(text, [a])).rows[0]?.score;
}

async function connections(): Promise<number> {
  const metrics = await (await fetch(`${service.url}/metrics`)).text();
  return Number(/^pgscore_gateway_connections (.*)$/m.exec(metrics)?.[1]);
}

/** Resolves when the gateway has so many connections, by the score of a session that has one. */
async function areConnected(count: number): Promise<void> {
  await waitFor(async () => (await score(alice)) === 21 && (await connections()) === count, {
    message: `${count} connections`,
  });
}

beforeAll(async () => {
  await deployBytes(await database.client('ada'), 'sum', weightedModel({ a: 'float32', b: 'float32' }));
  expect(await score(alice)).toBe(21);
});

afterEach(async () => {
  loiterers.leave();
  await areConnected(1);
  expect((await fetch(`${service.url}/readyz`)).status).toBe(200);
});

/** Strangers that stay, one byte further whenever they are asked. */
class Loiterers {
  #clients: WireClient[] = [];
  #sent = 0;

  async goOn(count: number): Promise<void> {
    for (const [index, client] of this.#clients.entries()) {
      // The first says nothing, the second all but that it logs in, others less and less of it.
      if (index > 1 && this.#sent < 20) client.send(startPacket({ user }).subarray(this.#sent, this.#sent + 1));
    }
    this.#sent += 1;
    // Whoever does not log in is sent away after ten seconds.
    this.#clients = this.#clients.filter(({ closed }) => !closed);
    while (this.#clients.length < count) {
      const client = await WireClient.open(port);
      if (this.#clients.push(client) === 2) client.send(startPacket({ user }));
    }
  }

  get oldest(): WireClient {
    return this.#clients[0]!;
  }

  leave(): void {
    for (const client of this.#clients.splice(0)) client.destroy();
  }
}

const loiterers = new Loiterers();

/** Each with the SQLSTATE that it is sent away with. */
const ATTACKS: readonly [sqlstate: string, attack: (client: WireClient) => Promise<void> | void][] = [
  ['54000', (client) => client.send(int32(2 ** 31 - 1))],
  ['08P01', (client) => client.send(int32(-1))],
  ['0A000', (client) => client.send(packet(Buffer.alloc(1000, 'q')))],
  [
    '54000',
    async (client) => {
      client.send(startPacket({ user }));
      await client.until('R');
      client.send(Buffer.from('p'), int32(2 ** 30));
    },
  ],
  ['28P01', (client) => logIn(client, 'a guess')],
  ['28P01', (client) => logIn(client, password, 'somebody')],
  [
    '08P01',
    async (client) => {
      client.send(startPacket({ user }));
      await client.until('R');
      client.send(message('Q', Buffer.from('ping\0')));
    },
  ],
];

async function logIn(client: WireClient, secret: string, as = user): Promise<void> {
  client.send(startPacket({ user: as }));
  await client.until('R');
  client.send(saslInitial('n,,n=,r=abcdefgh'));
  const { body } = await client.until('R');
  client.send(message('p', Buffer.from(clientFinal('n=,r=abcdefgh', body.toString('utf8', 4), secret))));
}

async function attack(round: number): Promise<void> {
  const [sqlstate, attackWith] = ATTACKS[round % ATTACKS.length]!;
  const client = await WireClient.open(port);
  await attackWith(client);
  expect(await client.fatal()).toMatchObject({ S: 'FATAL', C: sqlstate });
}

test('a session is answered while strangers loiter, trickle, lie about lengths and guess passwords', async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    await loiterers.goOn(MOST_STRANGERS - 1);
    const [answer] = await Promise.all([score(alice, round), attack(round)]);
    expect(answer).toBe(round + 20);
  }
});

test('ten thousand strangers that connect and say nothing are sent away, hold no memory, and cost no session its answers', async () => {
  const { pid } = await gatewayOf(service);
  const before = residentMib(pid);
  let strangers: WireClient[] = [];
  for (let met = 0; met < 10_000; met += 100) {
    const [answer, ...some] = await Promise.all([
      score(alice, met),
      ...Array.from({ length: 100 }, () => WireClient.open(port)),
    ]);
    expect(answer).toBe(met + 20);
    strangers = [...strangers, ...some].filter(({ closed }) => !closed);
  }
  await waitFor(() => strangers.filter(({ closed }) => !closed).length <= MOST_STRANGERS, {
    message: 'the end of those that are too many',
  });
  // What it takes before it collects; sixty thousand take no more. The buffer of each alone is 64 kB.
  expect(residentMib(pid) - before).toBeLessThan(128);
  for (const stranger of strangers) stranger.destroy();
});

describe('a gateway with as many', () => {
  test('strangers as it lets in sends those away that came first, and answers sessions that are new', async () => {
    for (let times = 0; times < 3; times += 1) {
      await loiterers.goOn(MOST_STRANGERS);
      await areConnected(1 + MOST_STRANGERS);
      const oldest = loiterers.oldest;
      const next = await WireClient.open(port);
      expect(await oldest.fatal()).toMatchObject({
        C: '53300',
        M: 'too many connections to the gateway',
        H: expect.stringContaining('--gateway-max-connections'),
      });
      const late = await caller();
      expect(await score(late)).toBe(21);
      expect(await score(alice)).toBe(21);
      await late.end();
      next.destroy();
      loiterers.leave();
      await areConnected(1);
    }
  });

  test('connections as it takes refuses the next until one is closed', async () => {
    const inside: WireClient[] = [];
    while (inside.length < MOST - 1) inside.push(await WireClient.login(port, password, user));
    const refused = await WireClient.open(port);
    expect(await refused.fatal()).toMatchObject({ C: '53300' });
    const late = await caller();
    const many = `select s.score from pgscore.score_rows('sum', array['{"a": 1, "b": 2}'::jsonb]) s`;
    for (const call of [`select score('sum', '{"a": 1, "b": 2}')`, many]) {
      expect(await refusal(late, call)).toMatchObject({
        code: '53300',
        message: 'too many sessions ask the service at once',
        detail: expect.stringMatching(/too many connections to the gateway.*--gateway-max-connections/s),
      });
    }
    await late.end();
    await areConnected(MOST);
    inside.pop()!.destroy();
    await areConnected(MOST - 1);
    inside.push(await WireClient.login(port, password, user));
    await areConnected(MOST);
    for (const client of inside) client.destroy();
  });
});

/** More rows than score_rows() asks for at a time, as somebody else's function might. */
const MANY = JSON.stringify(Array.from({ length: 1001 }, () => ({ a: 1, b: 2 })));

test('a call of more than 1000 rows is refused with 54000, and its session goes on', async () => {
  const { rows } = await superuser.query<{ id: number }>('select version_id as id from pgscore_data.execution');
  const request = `score ${JSON.stringify({ version: rows[0]?.id, role: 'alice' })}\n${MANY}`;
  expect(await refusal(superuser, 'select pgscore_data._ask($1)', [request])).toMatchObject({
    code: '54000',
    message: 'a call of 1001 rows is past the limit of 1000',
  });
  expect(await score(superuser)).toBe(21);
  await superuser.query('select pgscore_data._disconnect_gateway()');
});

describe('who takes the port of the gateway', () => {
  /** AuthenticationCleartextPassword. */
  const ASKS_FOR_PASSWORD = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3]);
  let told = '';
  const impostor = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.write(ASKS_FOR_PASSWORD));
    socket.on('data', (data) => {
      told += data.toString('latin1');
    });
  });

  beforeAll(async () => {
    impostor.listen(0, '127.0.0.1');
    await once(impostor, 'listening');
    const { port: taken } = impostor.address() as AddressInfo;
    const move = `create function public.move() returns trigger language plpgsql as 'begin new.port := ${taken}; return new; end'`;
    await superuser.query(move);
    await superuser.query(
      'create trigger move before insert or update on pgscore_data.gateway for each row execute function public.move()',
    );
    await superuser.query('update pgscore_data.gateway set since = since');
  });
  afterAll(() => {
    impostor.close();
  });

  test('and asks for its password is not told it, from PostgreSQL 16 on', async () => {
    const client = await database.client('bob');
    await client.query('set pgscore.execution = online; set pgscore.deadline = 1000; set statement_timeout = 5000');
    const refused = await refusal(client, `select score('sum', '{"a": 3, "b": 1}')`);
    await waitFor(() => told.includes('pgscore'), { message: 'the impostor to be told the name' });
    if ((await serverVersionOf(superuser)) < 160_000) return;
    expect(told).not.toContain(PASSWORD);
    expect(refused).toMatchObject({ code: '08001', message: 'the service does not answer' });
  });
});
