import type { GatewayLogin } from '../online/gateway-address.ts';

/** A running pgscore service. */
export type Service = {
  readonly id: string;
  /** Address of the page, and below it /healthz, /readyz and /metrics. */
  readonly url: string;
  /** Process ids of the scorers. */
  readonly scorerPids: readonly number[];
  /** The process that answers score(), and how to log in there; undefined while there is none. */
  readonly gateway: (GatewayLogin & { readonly pid: number }) | undefined;
  /** Stops claiming, finishes or gives back what is in hand within the grace, and ends every child; called again, it does not wait. */
  stop(): Promise<void>;
};
