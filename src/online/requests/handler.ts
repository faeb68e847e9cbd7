import type { ModelSession } from '../../inference/session.ts';
import type { Batcher } from '../batcher.ts';
import type { OnlineModels } from '../models.ts';
import { Call, type Arrival } from './call.ts';
import type { LogBudget } from '../call-log/log-budget.ts';
import type { Permissions } from './authorise.ts';
import type { ScoreRequest } from './parse.ts';
import { matchFeatures } from './match-features.ts';
import { asWireError, WireError } from '../protocol/wire-error.ts';

export type RequestHandlerOptions = {
  readonly permissions: Permissions;
  readonly models: Pick<OnlineModels, 'loaded' | 'load'>;
  readonly batcher: Batcher;
  readonly budget: LogBudget;
  readonly onFinished: (call: Call) => void;
};

/** Handles each call: checks the grant, loads the model, matches the features, waits for the log where it is behind, and runs the batch. */
export class RequestHandler {
  readonly #options: RequestHandlerOptions;
  #calls = 0;
  #rows = 0;

  constructor(options: RequestHandlerOptions) {
    this.#options = options;
  }

  get calls(): number {
    return this.#calls;
  }

  get rows(): number {
    return this.#rows;
  }

  /** The call, whose answer is to be awaited. */
  score(request: ScoreRequest, arrival?: Arrival): Call {
    const call = new Call(request, arrival);
    const { length } = request.rows;
    this.#calls += 1;
    this.#rows += length;
    call.onFinished(() => {
      this.#calls -= 1;
      this.#rows -= length;
      this.#options.onFinished(call);
    });
    this.#begin(call);
    return call;
  }

  #begin(call: Call): void {
    const { permissions, models } = this.#options;
    const { role, versionId } = call.request;
    const session = permissions.known(role, versionId) ? models.loaded(versionId) : undefined;
    if (session === undefined) void this.#prepare(call);
    else this.#enter(call, session);
  }

  async #prepare(call: Call): Promise<void> {
    const { permissions, models } = this.#options;
    const { role, versionId } = call.request;
    try {
      if (!permissions.known(role, versionId) && !(await permissions.ask(role, versionId))) throw notPermitted(role);
      const session = models.loaded(versionId) ?? (await models.load(versionId));
      if (call.waits) this.#enter(call, session);
    } catch (error) {
      call.fail(asWireError(error));
    }
  }

  #enter(call: Call, session: ModelSession): void {
    const { batcher, budget } = this.#options;
    try {
      call.rows = matchFeatures(call.rows, session.signature.features);
      if (call.request.log && budget.holdsUp(call)) void this.#enterLater(call, session);
      else {
        call.hasRoom = !budget.isBehind;
        batcher.add(call, session);
      }
    } catch (error) {
      call.fail(asWireError(error));
    }
  }

  async #enterLater(call: Call, session: ModelSession): Promise<void> {
    call.hasRoom = await this.#options.budget.caughtUp(call);
    if (call.waits) this.#options.batcher.add(call, session);
  }
}

function notPermitted(role: string): WireError {
  return new WireError('42501', `role "${role}" may not score with this model`, {
    hint: 'A pgscore_deployer can grant it, with pgscore.grant_model().',
  });
}
