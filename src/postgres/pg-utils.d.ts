declare module 'pg/lib/utils.js' {
  /** A value as the driver sends it: text, or bytes as they are. */
  export function prepareValue(value: unknown): string | Buffer | null;
}
