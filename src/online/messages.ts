import type { ErrorCode } from '../errors.ts';
import type { LoadedVersion } from '../check/load-version.ts';
import type { LocalSocket } from './protocol/local-socket.ts';
import type { GatewayStatistics } from './statistics.ts';

/** What a gateway is started with: it reads no flags, and of the environment only what says how to connect. */
export type GatewaySettings = {
  readonly connecting: Readonly<Record<string, string>>;
  readonly databaseUrl: string | undefined;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  readonly user: string;
  readonly password: string;
  /** How often it is hashed at a login. */
  readonly iterations: number;
  readonly modelMemoryBytes: number;
  readonly mostConnections: number;
  readonly authenticationMs: number;
  readonly idleMs: number;
  readonly batchRows: number;
  readonly deadlineMs: number;
  readonly mostDeadlineMs: number;
  /** Versions that made gateways before this one die. */
  readonly deadly: readonly number[];
};

/** Where a gateway answers: by TCP, and on its machine where it can by a socket, too. */
export type GatewayAddress = { readonly host: string; readonly port: number; readonly local: LocalSocket | undefined };

export type VersionStep = 'try' | 'done';

/** A version that calls may soon ask for, and the size of its file. */
export type WantedVersion = { readonly versionId: number; readonly bytes: number };

export type ToGateway =
  | { readonly type: 'start'; readonly settings: GatewaySettings }
  /** Load these where there is room, in this order. */
  | { readonly type: 'warm'; readonly versions: readonly WantedVersion[] }
  /** Load this one, which is about to become ready. */
  | { readonly type: 'prepare'; readonly versionId: number; readonly version: LoadedVersion }
  /** Take no more calls, answer those in hand, and end. */
  | { readonly type: 'drain' };

export type FromGateway =
  | ({ readonly type: 'listening' } & GatewayAddress)
  | {
      readonly type: 'refused';
      readonly code: ErrorCode;
      readonly message: string;
      readonly remedy: string | undefined;
    }
  /** Sent again and again: a gateway that is silent hangs in a model. */
  | { readonly type: 'alive'; readonly statistics: GatewayStatistics }
  /** A version is run for the first time on the gateway's thread, which ends a gateway if it never ends; then ready for use, or not. */
  | { readonly type: 'version'; readonly versionId: number; readonly step: VersionStep }
  /** It is loaded, or can not be. */
  | { readonly type: 'prepared'; readonly versionId: number }
  | { readonly type: 'warning'; readonly message: string; readonly reason: string };
