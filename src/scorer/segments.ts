import type { Binary, Data } from 'apache-arrow';
import type { DecodedBatch } from '../copy/decoded-batch.ts';
import type { SegmentPlaces } from '../lib/segment-places.ts';
import { statement } from '../postgres/statement.ts';
import { MISSING, roomForValues, SegmentValues } from '../monitor/segment-values.ts';
import type { Run } from '../runs/run.ts';
import type { Tools } from './tools.ts';

const knownSegments = statement<[versionId: number], { column_name: string; value: string }>(
  'known_segments',
  `select s.column_name, s.value from pgscore_data.version v join pgscore_data.segment s using (model_id)
    where v.version_id = $1 and s.value not in (':missing', ':other')`,
);

/** Tells the segments of the rows of a job, to be kept with their predictions: what the source says later changes nothing. */
export class FrozenSegments {
  readonly #columns: readonly { readonly at: number; readonly values: SegmentValues }[];

  private constructor(run: Run, known: ReadonlyMap<string, string[]>) {
    const read = run.columns.filter(({ role }) => role === 'segment').map(({ segment }) => segment);
    this.#columns = run.segments.map((name) => {
      const named = known.get(name) ?? [];
      const values = new SegmentValues(named, roomForValues(named.length, run.segments.length));
      return { at: read.indexOf(name), values };
    });
  }

  /** Null for a run without segments. */
  static async of(run: Run, tools: Tools): Promise<FrozenSegments | null> {
    if (run.segments.length === 0) return null;
    const known = new Map<string, string[]>();
    for (const { column_name, value } of await knownSegments(await tools.writer.client(), run.versionId))
      known.set(column_name, [...(known.get(column_name) ?? []), value]);
    return new FrozenSegments(run, known);
  }

  of({ rows, segments }: DecodedBatch): SegmentPlaces {
    return {
      places: this.#columns.map(({ at, values }) => placesOf(segments[at], values, rows)),
      values: this.#columns.map(({ values }) => values.names),
      firstUnnamed: this.#columns.map(({ values }) => values.firstUnnamed),
    };
  }
}

/** A column that the source lacks, or that may not be read, is missing in each row. */
function placesOf(column: Data<Binary> | undefined, values: SegmentValues, rows: number): Uint32Array {
  const places = new Uint32Array(rows).fill(MISSING);
  if (column === undefined) return places;
  const { values: source, valueOffsets } = column;
  for (let row = 0; row < rows; row += 1) {
    if (column.nullCount > 0 && !column.getValid(row)) continue;
    places[row] = values.placeOf(source, valueOffsets[row] ?? 0, valueOffsets[row + 1] ?? 0);
  }
  return places;
}
