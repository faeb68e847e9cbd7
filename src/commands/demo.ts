import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import type { Command } from 'commander';
import type pg from 'pg';
import { serviceConfig } from '../config.ts';
import { connectAsPerson } from '../postgres/connect.ts';
import { createLogger } from '../log.ts';
import { dataDirOf, DEFAULT_DATA_DIR } from './connection.ts';
import { keepArriving, loadFlights } from './demo/flights.ts';
import { startDemoServer, type DemoServer, type Person } from './demo/server.ts';
import { STORY, WATCHING } from './demo/story.ts';
import { summarise, type DemoSummary, tellStory } from './demo/tell.ts';
import { invocation, type Invocation, settingOption } from './options.ts';
import { listOf } from './output.ts';

const INT8 = 20;

export function addDemo(program: Command): void {
  program
    .command('demo')
    .summary('score a year of flights on an embedded PostgreSQL')
    .description(
      'Starts an embedded PostgreSQL, installs pgscore, makes ordinary roles, deploys the bundled models, scores 32,735 real flights ' +
        'with the SQL of the README, and compares the predictions with what happened. A challenger is replayed, refused by a gate, and tried as a canary. Then new flights keep coming until Ctrl-C, scored as they are written.',
    )
    .option('--once', 'stop at the end, with exit status 0')
    .option('--json', 'print the summary as one JSON document')
    .addOption(settingOption('dataDir'))
    .action(async (options: { once?: boolean }, command: Command) => demo(invocation(command), options.once === true));
}

async function demo({ flags, output }: Invocation, endsAtOnce: boolean): Promise<void> {
  const began = performance.now();
  output.note('Starting an embedded PostgreSQL and installing pgscore …');
  const server = await startDemoServer(dataDirOf(flags), (line) => output.note(line));
  try {
    const config = serviceConfig(
      { databaseUrl: server.serviceUrl, readerUrl: server.readerUrl, httpPort: '0', gatewayPort: '0' },
      availableParallelism(),
    );
    const { startService } = await import('../service/service.ts');
    const service = await startService(config, createLogger('error', true));
    output.note(
      `PostgreSQL ${server.version} and ${config.scorers} scorers are up after ${seconds(began)} s; the page is at ${service.url}/`,
    );
    try {
      const summary = await play(server, output);
      output.result({ ...summary, seconds: Number(seconds(began)) }, () => ending(summary, seconds(began)));
      if (!endsAtOnce) await keepServing(server, output, dataDirOf(flags), service.url);
    } finally {
      await service.stop();
    }
  } finally {
    await server.stop();
  }
}

async function play(server: DemoServer, output: Invocation['output']): Promise<DemoSummary | undefined> {
  const clients = new Map<Person, pg.Client>();
  try {
    for (const person of ['dana', 'ana'] as const) {
      const client = await connectAsPerson({ url: server.personUrl(person), applicationName: 'pgscore demo' });
      client.setTypeParser(INT8, Number);
      clients.set(person, client);
    }
    const ana = clients.get('ana');
    if (ana === undefined) return undefined;
    output.note(
      `Ana has ${await loadFlights(ana)} flights in flight_features, and what became of them in flight_arrivals.`,
    );
    await tellStory(STORY, clients, output);
    return await summarise(ana);
  } finally {
    await Promise.all([...clients.values()].map((client) => client.end()));
  }
}

function ending(summary: DemoSummary | undefined, took: string): string {
  if (summary === undefined) return 'Nothing was scored.';
  return `\n${listOf({
    'rows scored': summary.rows_scored,
    'rows per second': Math.round(summary.rows_per_second),
    accuracy: summary.accuracy.toFixed(3),
    'ROC AUC': summary.roc_auc.toFixed(3),
    'whole demo': `${took} s`,
  })}`;
}

function seconds(since: number): string {
  return ((performance.now() - since) / 1000).toFixed(1);
}

/** Has flights come, and resolves at Ctrl-C or SIGTERM. */
async function keepServing(
  server: DemoServer,
  output: Invocation['output'],
  dataDir: string,
  url: string,
): Promise<void> {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  const ana = await connectAsPerson({ url: server.personUrl('ana'), applicationName: 'pgscore demo' });
  let arriving: Promise<void> | undefined;
  try {
    await tellStory(WATCHING, new Map([['ana', ana]]), output);
    lookAround(output, dataDir, url);
    arriving = keepArriving(ana, stop.signal).catch((error: Error) => {
      if (!stop.signal.aborted) output.note(`No more flights come: ${error.message}.`);
    });
    if (!stop.signal.aborted) await once(stop.signal, 'abort');
    output.note('Stopping …');
  } finally {
    await ana.end();
    await arriving;
  }
}

function lookAround(output: Invocation['output'], dataDir: string, url: string): void {
  const sql = `npx pgscore sql${dataDir === DEFAULT_DATA_DIR ? '' : ` --data-dir ${dataDir}`}`;
  const one = `${sql} -c 'select * from pgscore.runs'`;
  output.note(`\nSee the numbers move: ${url}/#/model/arrival_delay?part=operations`);
  output.note(`See how a model of January decays: ${url}/#/model/air_time`);
  output.note(`See its challenger, a canary: ${url}/#/model/air_time?part=versions`);
  output.note('Look around from another terminal in this folder:');
  output.note(`  ${sql.padEnd(one.length)}    an SQL prompt as ana; in it, set role dana; makes you the deployer`);
  output.note(`  ${one}    one statement`);
  output.note('Stop with Ctrl-C.');
}
