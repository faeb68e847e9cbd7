import { types } from 'node:util';

import { TestEnvironment } from 'jest-environment-node';

const BUFFERS = ['ArrayBuffer', 'SharedArrayBuffer', 'DataView'];
const TYPED_ARRAYS = [
  'BigInt64Array',
  'BigUint64Array',
  'Float32Array',
  'Float64Array',
  'Int8Array',
  'Int16Array',
  'Int32Array',
  'Uint8Array',
  'Uint8ClampedArray',
  'Uint16Array',
  'Uint32Array',
];
const ERRORS = ['Error', 'RangeError', 'SyntaxError', 'TypeError'];

/** What Jest sends to a worker that is to end: CHILD_MESSAGE_END of jest-worker. */
const END = 2;
const LEFT_OPEN_MS = 300;

// Nothing is open any more. What a worker has left is a heap of half a gigabyte, which V8 frees for longer than Jest waits.
process.once('beforeExit', () => process.exit());

// CI goes by this line. Jest warns also of a worker whose memory takes half a second to be freed.
process.on('message', function end([kind]) {
  if (kind !== END) return;
  process.off('message', end);
  setTimeout(() => console.error('A worker of Jest has left something open.'), LEFT_OPEN_MS).unref();
});

/** Node's environment with the two repairs without which code meets, in Jest's sandbox alone, values of another realm, and an end that none skips. */
export default class extends TestEnvironment {
  async setup() {
    await super.setup();
    for (const name of [...BUFFERS, ...TYPED_ARRAYS]) this.global[name] = globalThis[name];
    for (const name of ERRORS) acceptOutsiders(this.global[name], globalThis[name]);
  }

  /** What atEnd() was given. */
  async handleTestEvent({ name }) {
    if (name !== 'run_finish') return;
    for (const work of (this.global.atEnd ?? []).toReversed()) await work();
  }
}

/** An error from node:fs or node:net is made outside of the sandbox, where `instanceof Error` would say no. */
function acceptOutsiders(inside, outside) {
  const ordinary = Function.prototype[Symbol.hasInstance];
  Object.defineProperty(inside, Symbol.hasInstance, {
    value(value) {
      if (ordinary.call(this, value)) return true;
      return this === inside && types.isNativeError(value) && value instanceof outside;
    },
  });
}
