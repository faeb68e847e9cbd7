/** A two-dimensional array of float8 as array_send() of PostgreSQL writes it. */
export function arraySend(rows: readonly (readonly (number | null)[])[], type = 701): Buffer {
  const values = rows.flat();
  const head = [2, Number(values.includes(null)), type, rows.length, 1, rows[0]?.length ?? 0, 1];
  return Buffer.concat([...head.map(int4), ...values.map((value) => (value === null ? int4(-1) : float8(value)))]);
}

/** What the functions of the database send below the head of a request. */
export function numbersText(array: Buffer, about: unknown = {}, reals: unknown = []): string {
  const lines = array.toString('base64').replaceAll(/.{76}/g, '$&\n');
  return `numbers\n${JSON.stringify({ about, reals })}\n${lines}`;
}

function int4(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function float8(value: number): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.writeInt32BE(8);
  bytes.writeDoubleBE(value, 4);
  return bytes;
}
