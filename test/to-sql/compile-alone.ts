// Compiles a model in a process that can be stopped. Says when the thread has its work, then whether there are functions.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { CompileThread } from '../../src/to-sql/compile-thread.ts';
import { checkModel } from '../../src/check/check-model.ts';

const path = fileURLToPath(new URL('../../bench/trees.onnx', import.meta.url));
const { signature } = await checkModel(readFileSync(path), {});
const thread = new CompileThread({ cpuMs: 5000, heapMb: 1024 });
thread.compile({ path, signature, given: [] });
await thread.rows;
process.send?.('working');
process.send?.('bodies' in (await thread.compiled));
process.disconnect();
