import { describe, expect, test } from '@jest/globals';
import { authenticationCode } from '../../../src/online/protocol/signing.ts';
import { waitFor } from '../../support/wait-for.ts';
import { arraySend, numbersText } from '../array-send.ts';
import { KEYS, scoreQuery, startTestGateway, type TestGateway } from '../test-server.ts';
import { cancelPacket, fieldsOf, message, queryPacket, rowsOf, startPacket, WireClient } from '../wire-client.ts';

/** Of the megabyte that a message may have here. */
const LONG = 'é, [{"x": 1}]'.repeat(60_000);

const scoresOf = (replies: Parameters<typeof rowsOf>[0]): (string | null)[] =>
  rowsOf(replies).map(([score = '']) => score);

describe('a long message', () => {
  test('is answered as a short one is: a long row, many rows, numbers', async () => {
    const { port } = await startTestGateway();
    const client = await WireClient.login(port);
    const many = Array.from({ length: 9000 }, (_, x) => ({ x, list: [1, { a: 'b],{' }], text: '' }));
    const numbers = numbersText(arraySend(many.map(({ x }) => [x])));
    const head = JSON.stringify({ version: 1, role: 'alice' });
    const expected = many.map(({ x }) => String(x));
    expect(scoresOf(await client.ask(scoreQuery([{ x: 1.5, LONG }])))).toEqual(['1.5']);
    expect(scoresOf(await client.ask(`score ${head}\n{"x": 2.5, "LONG": ${JSON.stringify(LONG)}}`))).toEqual(['2.5']);
    expect(scoresOf(await client.ask(`${scoreQuery(many)} ;`))).toEqual(expected);
    expect(scoresOf(await client.ask(`score ${head}\nfrom 1 of 9000\n${JSON.stringify(many)}`))).toEqual(expected);
    expect(scoresOf(await client.ask(`score ${head}\n${numbers}`))).toEqual(expected);
    expect(rowsOf(await client.ask('ping'))).toEqual([['ok']]);
    client.destroy();
  });

  test('is answered where it is signed', async () => {
    const { port } = await startTestGateway();
    const backend = '17.4';
    const client = await WireClient.login(port, 'secret', `pgscore/${backend}`);
    const [welcome] = await client.ask('hello 0b8f2f5e-93a5-4c2b-9d3f-0d1f6f3f2a11');
    const [challenge = ''] = (welcome?.body.toString() ?? '').split(' ');
    const query = scoreQuery([{ x: 1.5, LONG }]);
    const code = authenticationCode(KEYS, `request ${backend} ${challenge}\n${query}`).toString('base64');
    expect(scoresOf(await client.ask(`signed ${code} ${query}`))).toEqual(['1.5']);
    client.destroy();
  });

  test.each([
    [
      'a row that is none',
      [...Array.from({ length: 9000 }, () => ({ x: [1, 2, 3, 'four'] })), 1],
      '42804',
      'Row 9001 of 9001.',
    ],
    ['more rows than the queue takes', Array.from({ length: 10_001 }, () => ({ x: 1 })), '54000', undefined],
  ])('with %s is refused, and its session goes on', async (_, rows, code, detail) => {
    const { port } = await startTestGateway();
    const client = await WireClient.login(port);
    const [error] = await client.ask(scoreQuery(rows as Record<string, unknown>[]));
    const { C, D } = fieldsOf(error!);
    expect({ C, D }).toEqual({ C: code, D: detail });
    expect(rowsOf(await client.ask('ping'))).toEqual([['ok']]);
    client.destroy();
  });

  test('that is not JSON, not UTF-8, no request or of the extended protocol is refused as a short one is', async () => {
    const { port } = await startTestGateway();
    const client = await WireClient.login(port);
    const codeOf = async (): Promise<string | undefined> => fieldsOf((await client.answer())[0]!)['C'];
    const head = 'score {"version": 1, "role": "alice"}\n';
    for (const [body, code] of [
      [`${head}[{"x": 1, "LONG": "${'x'.repeat(100_000)}"`, '22P02'],
      [`${head}[${'{"x": 1, "y": [1, "a"]},'.repeat(9000)}{}`, '22P02'],
      [`${head}[${'{"x": 1, "y": [1, "a"]},'.repeat(9000)}]`, '22P02'],
      [`score ${'{'.repeat(100_000)}`, '22P02'],
      [`select '${LONG}'`, '0A000'],
    ] as const) {
      client.send(queryPacket(body));
      expect([body.slice(0, 60), await codeOf()]).toEqual([body.slice(0, 60), code]);
    }
    client.send(message('Q', Buffer.concat([Buffer.from(head), Buffer.alloc(100_000, 0xff), Buffer.of(0)])));
    expect(await codeOf()).toBe('22021');
    client.send(
      message('P', Buffer.alloc(100_000)),
      message('B', Buffer.alloc(100_000)),
      message('S', Buffer.alloc(0)),
    );
    expect(await codeOf()).toBe('0A000');
    client.send(message('d', Buffer.alloc(200_000)));
    expect(rowsOf(await client.ask('ping'))).toEqual([['ok']]);
    client.destroy();
  });
});

/** So many have room beside each other. */
const INSIDE = 4;
const OUTSIDE = 8;

/** A gateway whose memory for long messages is taken by calls that wait, the first of those that came. */
async function crowded(): Promise<{ gateway: TestGateway; clients: WireClient[] }> {
  const gateway = await startTestGateway({ answering: false });
  const clients = await Promise.all(Array.from({ length: INSIDE + OUTSIDE }, () => WireClient.login(gateway.port)));
  clients.forEach((client, n) => {
    client.send(queryPacket(scoreQuery([{ x: 1, LONG }], { deadline: 60_000, id: String(n) })));
  });
  await waitFor(() => gateway.calls.length >= INSIDE, { message: 'the memory to be taken' });
  return { gateway, clients };
}

/** Answers what waits, and what comes then, until nothing more does. */
async function answerAll({ calls, answer }: TestGateway, expected: number): Promise<void> {
  await waitFor(
    () => {
      for (const call of calls) if (call.outcome === undefined) answer(call);
      return calls.length >= expected;
    },
    { message: `${expected} calls` },
  );
}

describe('while the memory for long messages is taken', () => {
  test('more are not read, small calls are answered, and when it is given back all are', async () => {
    const { gateway, clients } = await crowded();
    const small = await WireClient.login(gateway.port);
    small.send(queryPacket(scoreQuery([{ x: 7 }])));
    await waitFor(() => gateway.calls.length > INSIDE);
    gateway.answer(gateway.calls.at(-1)!);
    expect(scoresOf(await small.answer())).toEqual(['7']);
    expect(gateway.calls.length).toBe(INSIDE + 1);
    await answerAll(gateway, INSIDE + 1 + OUTSIDE);
    for (const client of clients) expect(scoresOf(await client.answer())).toEqual(['1']);
    for (const client of [...clients, small]) client.destroy();
  });

  test('one is refused at its deadline, never becomes a call, and its session goes on', async () => {
    const { gateway, clients } = await crowded();
    const late = await WireClient.login(gateway.port);
    const [error] = await late.ask(scoreQuery([{ x: 2, LONG }], { deadline: 50 }));
    expect(fieldsOf(error!)).toMatchObject({ C: '57014', M: expect.stringContaining('deadline of 50 ms') });
    expect(rowsOf(await late.ask('ping'))).toEqual([['ok']]);
    expect(gateway.calls.length).toBe(INSIDE);
    await answerAll(gateway, INSIDE + OUTSIDE);
    expect(gateway.calls.some(({ request }) => request.deadlineMs === 50)).toBe(false);
    for (const client of [...clients, late]) client.destroy();
  });

  test('one that is cancelled never becomes a call', async () => {
    const { gateway, clients } = await crowded();
    const client = await WireClient.open(gateway.port);
    client.send(startPacket({ user: 'pgscore' }));
    await client.authenticate('secret');
    const key = (await client.until('K')).body;
    await client.until('Z');
    client.send(queryPacket(scoreQuery([{ x: 2, LONG }], { id: 'cancelled' })));
    await waitFor(
      async () => {
        const canceller = await WireClient.open(gateway.port);
        canceller.send(cancelPacket(key));
        await canceller.ended();
        return client.replies.some(({ type }) => type === 'E');
      },
      { message: 'the cancel' },
    );
    expect(fieldsOf((await client.answer())[0]!)).toMatchObject({ C: '57014', M: expect.stringContaining('user') });
    await answerAll(gateway, INSIDE + OUTSIDE);
    expect(gateway.calls.some(({ request }) => request.id === 'cancelled')).toBe(false);
    for (const each of [...clients, client]) each.destroy();
  });

  test('one whose caller went away holds nothing', async () => {
    const { gateway, clients } = await crowded();
    const inside = new Set(gateway.calls.map(({ request }) => Number(request.id)));
    clients.forEach((client, n) => {
      if (!inside.has(n)) client.destroy();
    });
    for (const call of gateway.calls) gateway.answer(call);
    await waitFor(() => gateway.server.connections === INSIDE, { message: 'the end of those that were not' });
    await waitFor(() => gateway.calls.every(({ outcome }) => outcome !== undefined), { message: 'the end of calls' });
    for (const n of inside) clients[n]!.send(queryPacket(scoreQuery([{ x: 3, LONG }], { id: 'again' })));
    const again = () => gateway.calls.filter(({ request }) => request.id === 'again');
    await waitFor(() => again().length === INSIDE, { message: 'calls that find room' });
    for (const each of clients) each.destroy();
  });

  test('a drain sends those away that wait', async () => {
    const { gateway, clients } = await crowded();
    const drained = gateway.server.drain();
    for (const call of gateway.calls) gateway.answer(call);
    await Promise.all(clients.map((client) => client.ended()));
    await drained;
    expect(gateway.calls.length).toBe(INSIDE);
  });
});
