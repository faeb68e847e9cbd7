import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';
import { saveVersion } from '../../src/models/load-version.ts';
import { inModelFolder } from '../../src/onnx/model-folder.ts';
import { spreadOf, type Spread } from '../figures.ts';
import type { ScorePlan } from '../plan.ts';
import { settled } from '../processes.ts';
import { asRequester, type Stage } from '../stage.ts';
import { makeCallTables } from './call-tables.ts';
import {
  BARE,
  makeBareExchange,
  measureCallLatency,
  measureCallRate,
  type CallLatency,
  type CallRate,
} from './calls.ts';
import { findPlpython, type Plpython } from './plpython.ts';
import {
  measureParallelRows,
  measurePerRow,
  measureRowsCall,
  PARALLEL_WAYS,
  rowsOf,
  WAYS,
  type ParallelRows,
  type Way,
} from './rows.ts';

const STATEMENT_ROWS = 100;

/** What score() costs inside of queries. */
export type ScoreCalls = {
  readonly latency: CallLatency;
  /** Single calls of many clients. */
  readonly rate: {
    readonly tool: string;
    readonly clients: number;
    readonly callsPerSecond: Spread;
    /** The bare exchange. */
    readonly barePerSecond: Spread;
    /** Of rows of a bound table, by the compiled model. */
    readonly nativePerSecond: Spread;
  };
  /** The same clients, each with many rows in a statement. */
  readonly manyInOne: { readonly rows: number; readonly rowsPerSecond: Spread };
  /** Microseconds a row over a plain scan of the same rows. */
  readonly perRow: { readonly way: Way; readonly rows: number; readonly micros: Spread }[];
  /** The same of one query over all of a large table, with the workers that PostgreSQL plans by itself. */
  readonly parallel: {
    readonly rows: number;
    readonly processes: number;
    readonly ways: { readonly way: Way; readonly micros: Spread }[];
  };
  /** score_rows(): rows a second, with each prediction logged and without. */
  readonly scoreRows: { readonly rows: number; readonly logged: Spread; readonly unlogged: Spread };
  readonly plpython: PlpythonCalls | null;
  /** Why PL/Python was not measured; null where it was. */
  readonly plpythonMissing: string | null;
};

/** The same model by ONNX Runtime in the server's own processes. */
type PlpythonCalls = {
  readonly version: string;
  readonly callsPerSecond: Spread;
  readonly micros: Spread;
  readonly logisticMicros: Spread;
  /** pgscore's rate of calls by this one's, in rounds that stand next to each other. */
  readonly callsRatio: Spread;
  /** This one's time a row by that of a bound model, in rounds that stand next to each other. */
  readonly rowRatio: Spread;
};

export type ScoreCallsSetting = {
  readonly stage: Stage;
  readonly requester: pg.Client;
  readonly owner: pg.Client;
  readonly plan: ScorePlan;
  /** A server with PL/Python, as its superuser; by default the one that is measured. */
  readonly plpythonUrl: string | undefined;
  readonly tell: (line: string) => void;
};

type Round = {
  readonly rate: CallRate;
  readonly bare: CallRate;
  readonly native: CallRate;
  readonly manyInOne: CallRate;
  readonly perRow: readonly number[];
  readonly parallel: ParallelRows;
  readonly logged: number;
  readonly unlogged: number;
  readonly plpython: Awaited<ReturnType<Plpython['measure']>> | undefined;
};

/** Every way to call score() in turns, so that whatever else the machine does meets all of them. */
export async function measureScoreCalls(setting: ScoreCallsSetting): Promise<ScoreCalls> {
  const { stage, owner, requester, plan, tell } = setting;
  tell('models and tables for calls of score()');
  await makeCallTables(owner, requester, plan);
  await makeBareExchange(owner);
  const caller = await asRequester(stage);
  const models = { trees: await served(owner, 'trees'), logistic: await served(owner, 'logistic') };
  const plpython = await findPlpython(setting.plpythonUrl ?? stage.ownerUrl, models, plan);
  try {
    await caller.query('set max_parallel_workers_per_gather = 0');
    tell('calls of score(), one after the other');
    const latency = await measureCallLatency(caller, owner, plan);
    return {
      latency,
      ...summaryOf(await takeTurns(setting, caller, plpython.found), plpython.found, plan),
      plpythonMissing: plpython.missing,
    };
  } finally {
    await caller.end();
    await plpython.found?.end();
  }
}

/** The graph without the ZipMap that the exporter adds by itself, as an expert exports it. */
async function served(owner: pg.Client, model: string): Promise<Uint8Array> {
  const { rows } = await owner.query<{ version_id: number }>(
    `select v.version_id from pgscore_data.version v join pgscore_data.model m using (model_id) where m.name = $1`,
    [model],
  );
  return inModelFolder(async (folder) => {
    const { path } = await saveVersion(owner, rows[0]?.version_id ?? 0, join(folder, 'model.onnx'));
    return await readFile(path);
  });
}

async function takeTurns(
  { stage, owner, plan, tell }: ScoreCallsSetting,
  caller: pg.Client,
  plpython: Plpython | undefined,
): Promise<Round[]> {
  const rounds: Round[] = [];
  for (let round = 1; round <= plan.rounds; round += 1) {
    tell(
      `score(), round ${round} of ${plan.rounds}: ${plan.clients} clients, rows in one query, score_rows()${plpython === undefined ? '' : ', PL/Python'}`,
    );
    const alone = async <T>(measure: () => T): Promise<Awaited<T>> => {
      await settled(owner);
      return await measure();
    };
    rounds.push({
      rate: await alone(() => measureCallRate(stage.requesterUrl, ONE, plan, stage.ownerUrl)),
      bare: await alone(() => measureCallRate(stage.ownerUrl, BARE, plan)),
      native: await alone(() => measureCallRate(stage.requesterUrl, NATIVE, plan, stage.ownerUrl)),
      manyInOne: await alone(() => measureCallRate(stage.requesterUrl, MANY, plan, stage.ownerUrl)),
      perRow: await alone(() => measurePerRow(caller, plan)),
      parallel: await alone(() => measureParallelRows(caller, plan)),
      logged: await alone(() => measureRowsCall(caller, owner, plan, true)),
      unlogged: await alone(() => measureRowsCall(caller, owner, plan, false)),
      plpython: await alone(() => plpython?.measure()),
    });
  }
  return rounds;
}

const CALLER = { 'pgscore.execution': 'online' };
const ONE = { settings: CALLER, call: `select pgscore.score('trees', t) from pgscore_bench.loose t where t.id = $1` };
const NATIVE = {
  settings: {},
  call: `select pgscore.score('trees', t) from pgscore_bench.bound t where t.id = $1`,
};
const MANY = {
  settings: CALLER,
  call: `select count(pgscore.score('trees', t)) from (select * from pgscore_bench.loose where id > $1 limit ${STATEMENT_ROWS}) t`,
};

function summaryOf(
  rounds: readonly Round[],
  plpython: Plpython | undefined,
  plan: ScorePlan,
): Omit<ScoreCalls, 'latency' | 'plpythonMissing'> {
  const [first] = rounds;
  const spread = (read: (round: Round) => number): Spread => spreadOf(rounds.map(read));
  return {
    rate: {
      tool: first?.rate.tool ?? '',
      clients: plan.clients,
      callsPerSecond: spread(({ rate }) => rate.perSecond),
      barePerSecond: spread(({ bare }) => bare.perSecond),
      nativePerSecond: spread(({ native }) => native.perSecond),
    },
    manyInOne: {
      rows: STATEMENT_ROWS,
      rowsPerSecond: spread(({ manyInOne }) => manyInOne.perSecond * STATEMENT_ROWS),
    },
    perRow: WAYS.map((way, index) => ({
      way,
      rows: rowsOf(way, plan),
      micros: spread(({ perRow }) => perRow[index] ?? Number.NaN),
    })),
    parallel: {
      rows: plan.largeRows,
      processes: first?.parallel.processes ?? 0,
      ways: PARALLEL_WAYS.map((way, index) => ({
        way,
        micros: spread(({ parallel }) => parallel.micros[index] ?? Number.NaN),
      })),
    },
    scoreRows: {
      rows: plan.rowsCall,
      logged: spread(({ logged }) => logged),
      unlogged: spread(({ unlogged }) => unlogged),
    },
    plpython:
      plpython === undefined
        ? null
        : {
            version: plpython.version,
            callsPerSecond: spread((round) => round.plpython?.rate.perSecond ?? Number.NaN),
            micros: spread((round) => round.plpython?.micros ?? Number.NaN),
            logisticMicros: spread((round) => round.plpython?.logisticMicros ?? Number.NaN),
            callsRatio: spread(({ rate, plpython: other }) => rate.perSecond / (other?.rate.perSecond ?? Number.NaN)),
            rowRatio: spread(
              ({ perRow, plpython: other }) => (other?.micros ?? Number.NaN) / (perRow[0] ?? Number.NaN),
            ),
          },
  };
}
