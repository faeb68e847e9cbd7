import { statement } from '../postgres/statement.ts';

/** An empty partition for the predictions of one attempt; to be committed before a row goes in. */
export const createGeneration = statement<[runId: string, attempt: number], { generation: number }>(
  'create_generation',
  'select pgscore_data._create_generation($1, $2) as generation',
);

/** Builds the unique index over a loaded generation; a duplicate key raises 23505. */
export const indexGeneration = statement<[targetId: number, generation: number]>(
  'index_generation',
  'select pgscore_data._index_generation($1, $2)',
);
