import type pg from 'pg';
import { from, to } from 'pg-copy-streams';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** What a COPY TO says, kept as it comes. */
export async function copiedBytes(client: pg.Client, copySql: string): Promise<Buffer[]> {
  const chunks: Buffer[] = [];
  for await (const chunk of client.query(to(copySql)) as AsyncIterable<Buffer>) chunks.push(chunk);
  return chunks;
}

/** The same, thrown away. */
export async function discardCopy(client: pg.Client, copySql: string): Promise<void> {
  const stream = client.query(to(copySql));
  stream.resume();
  await new Promise((resolve, reject) => stream.once('end', resolve).once('error', reject));
}

/** Gives bytes of a COPY TO to a COPY FROM. */
export async function copyIn(client: pg.Client, copySql: string, chunks: readonly Buffer[]): Promise<void> {
  await pipeline(Readable.from(chunks), client.query(from(copySql)));
}
