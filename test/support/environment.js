import { TestEnvironment } from 'jest-environment-node';

/** onnxruntime-node checks `instanceof Float32Array` against the main realm, which Jest's sandbox replaces. */
export default class extends TestEnvironment {
  async setup() {
    await super.setup();
    for (const name of ['Float32Array', 'Float64Array', 'BigInt64Array', 'Int32Array', 'Uint8Array', 'ArrayBuffer']) {
      this.global[name] = globalThis[name];
    }
  }
}
