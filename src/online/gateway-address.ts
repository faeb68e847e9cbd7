import type { LocalSocket } from './protocol/local-socket.ts';

/** Where a gateway answers: by TCP, and on its machine where it can by a socket, too. */
export type GatewayAddress = { readonly host: string; readonly port: number; readonly local: LocalSocket | undefined };

/** What the database needs to know to call a gateway. A type of the package goes by it, so it imports no library. */
export type GatewayLogin = GatewayAddress & { readonly user: string; readonly password: string };
