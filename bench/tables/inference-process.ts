import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { InferenceCost, InferenceJob } from './inference-main.ts';

const MAIN = new URL('inference-main.ts', import.meta.url);

/** A process that has a share of the rows ready for the model. */
export type InferenceProcess = {
  /** Scores its rows. */
  run(): Promise<InferenceCost>;
  end(): void;
};

export async function startInference(job: InferenceJob): Promise<InferenceProcess> {
  const child = fork(MAIN, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], serialization: 'advanced' });
  const died = once(child, 'exit').then((): never => {
    throw new Error('the process that runs the model alone has ended');
  });
  const answer = (): Promise<unknown[]> => Promise.race([once(child, 'message'), died]);
  died.catch(() => undefined);
  const ready = answer();
  child.send(job);
  await ready;
  return {
    run: async () => {
      const answered = answer();
      child.send('go');
      return (await answered)[0] as InferenceCost;
    },
    end: () => child.disconnect(),
  };
}
