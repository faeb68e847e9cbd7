import type pg from 'pg';
import { connect } from '../../src/postgres/connect.ts';
import { backendOf, serverCpuSeconds } from '../processes.ts';
import type { SourceColumn } from '../../src/copy/source-column.ts';
import {
  copyInCost,
  copyShare,
  discardCopy,
  sharesOf,
  writtenBytes,
  type Share,
  type WrittenBytes,
} from './copy-limit.ts';
import { FEATURES } from '../stage.ts';
import { startInference, type InferenceProcess } from './inference-process.ts';

/** What the parts of a run cost that nothing can spare, in CPU-seconds, and the rate if all cores did only that. */
export type Limit = {
  readonly copyOutCpuSeconds: number;
  readonly inferenceCpuSeconds: number;
  /** The model as pgscore computes it. */
  readonly ownInferenceCpuSeconds: number;
  readonly copyInCpuSeconds: number;
  readonly rowsPerSecond: number;
};

/** The table that is scored, and where a run over it was written. */
export type Scored = {
  readonly source: string;
  readonly rows: number;
  /** What a run reads of it: the key, then the features. */
  readonly columns: readonly SourceColumn[];
  readonly versionId: number;
  readonly target: { readonly id: number; readonly generation: number };
};

/**
 * Measures what a run must cost: the server's COPY out of the source and its COPY in of the same predictions, index
 * included, and ONNX Runtime alone. All cores work on their share at once, as they do in a run: they share caches.
 */
export class LimitMeter {
  readonly #clients: readonly pg.Client[];
  readonly #inference: readonly InferenceProcess[];
  readonly #written: WrittenBytes;
  readonly #shares: readonly Share[];
  readonly #scored: Scored;

  private constructor(
    clients: readonly pg.Client[],
    inference: readonly InferenceProcess[],
    written: WrittenBytes,
    shares: readonly Share[],
    scored: Scored,
  ) {
    this.#clients = clients;
    this.#inference = inference;
    this.#written = written;
    this.#shares = shares;
    this.#scored = scored;
  }

  /** Undefined where the server's processes are not on this machine, so that their CPU time can't be seen. */
  static async prepare(url: string, cores: number, scored: Scored): Promise<LimitMeter | undefined> {
    const open = (): Promise<pg.Client> => connect({ url, applicationName: 'pgscore bench' });
    const clients = await Promise.all(Array.from({ length: cores }, open));
    const [first] = clients;
    if (first === undefined || (await backendOf(first)) === undefined) {
      await Promise.all(clients.map((client) => client.end()));
      return undefined;
    }
    const shares = await sharesOf(first, scored.source, cores);
    const leaf = `pgscore_predictions.target_${scored.target.id}_g${scored.target.generation}`;
    const written = await writtenBytes(first, scored.target, await sharesOf(first, leaf, cores));
    const { versionId, columns } = scored;
    const inference = await Promise.all(
      shares.map((share) => startInference({ url, versionId, copySql: sharedCopy(scored, share), columns })),
    );
    return new LimitMeter(clients, inference, written, shares, scored);
  }

  async measure(): Promise<Limit> {
    const copyOutCpuSeconds = await this.#copyOut();
    const inferred = await Promise.all(this.#inference.map((process) => process.run()));
    const inferenceCpuSeconds = inferred.reduce((sum, { onnxRuntime }) => sum + onnxRuntime, 0);
    const ownInferenceCpuSeconds = inferred.reduce((sum, { pgscore }) => sum + pgscore, 0);
    const copyInCpuSeconds = await copyInCost(this.#clients, this.#written);
    const all = copyOutCpuSeconds + inferenceCpuSeconds + copyInCpuSeconds;
    const rowsPerSecond = (this.#scored.rows * this.#clients.length) / all;
    return { copyOutCpuSeconds, inferenceCpuSeconds, ownInferenceCpuSeconds, copyInCpuSeconds, rowsPerSecond };
  }

  async end(): Promise<void> {
    for (const process of this.#inference) process.end();
    await Promise.all(this.#clients.map((client) => client.end()));
  }

  async #copyOut(): Promise<number> {
    const [first] = this.#clients;
    if (first === undefined) return 0;
    return serverCpuSeconds(first, () =>
      Promise.all(
        this.#clients.map((client, core) =>
          discardCopy(client, sharedCopy(this.#scored, this.#shares[core] ?? { from: 0, to: 0 })),
        ),
      ),
    );
  }
}

function sharedCopy({ source, columns }: Scored, share: Share): string {
  const names = columns.map(({ name }) => name);
  return copyShare(source, names, share);
}

const COLUMNS: readonly SourceColumn[] = [
  { name: 'id', role: 'key' },
  ...FEATURES.map((name) => ({ name, role: 'feature' as const, type: 'float4' as const, width: 1 })),
];

/** What the last run over a table scored and wrote. */
export async function scoredBy(
  owner: pg.Client,
  source: string,
  rows: number,
  columns: readonly SourceColumn[] = COLUMNS,
): Promise<Scored> {
  const found = await owner.query<{ version_id: number; target_id: number; generation: number }>(
    `select r.version_id, r.target_id, r.generation from pgscore_data.run r where r.source_name = $1 and r.state = 'done' order by r.run_id desc limit 1`,
    [source],
  );
  const [run] = found.rows;
  if (run === undefined) throw new Error(`no run over ${source} is done`);
  return {
    source: `pgscore_bench.${source}`,
    rows,
    columns,
    versionId: run.version_id,
    target: { id: run.target_id, generation: run.generation },
  };
}
