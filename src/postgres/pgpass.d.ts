declare module 'pgpass' {
  export type Connecting = {
    readonly host: string;
    readonly port: number;
    readonly database?: string | undefined;
    readonly user?: string | undefined;
  };

  export default function pgpass(connecting: Connecting, found: (password: string | undefined) => void): void;
}
