import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { expect, test } from '@jest/globals';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const CODE = ['src', 'sql', 'migrations', 'test', 'lint', '.ci', 'build.mjs', 'package.json'];

const git = (...args: readonly string[]): string[] =>
  execFileSync('git', args, { cwd: ROOT, encoding: 'utf8', maxBuffer: 1e9 }).split('\n').filter(Boolean);

const FILES = git('ls-files', '--cached', '--others', '--exclude-standard').map((path) => `/${path}`);
const TEXT = readFileSync(`${ROOT}CONTRIBUTING.md`, 'utf8').replaceAll(/^```.*?^```$/gms, '');
/** What stands as code, without the names that a version or a kind completes, absolute paths and settings of other programs. */
const WORDS = [...TEXT.matchAll(/`([^`\n]+)`/g)]
  .flatMap(([, code = '']) => code.split(/[\s=:,;'"|]+/))
  .filter((word) => !/^\/|[<*]|node_modules|^TESTCONTAINERS|^DOCKER/.test(word));

const isCode = (path: string): boolean => /(?:\.(?:[jt]s|mjs|sql|py)|package\.json|\.ci\/run)$/.test(path);
const isPath = (word: string): boolean => /\/|\.(?:ts|js|mjs|sql|py|pg|e2e|md)$/.test(word);
const namedFile = (path: string): string | undefined => FILES.find((file) => file.includes(`/${path}`));

test('every file that CONTRIBUTING names exists', () => {
  expect(WORDS.filter((word) => isPath(word) && namedFile(word) === undefined)).toEqual([]);
});

test('every function, table and constant that CONTRIBUTING names exists', () => {
  const names = WORDS.filter((word) => !isPath(word)).flatMap(
    (word) => word.match(/\w+(?=\(\)$)|\w*[A-Za-z]_\w+|_\w+/g) ?? [],
  );
  const code = git('ls-files', '--cached', '--others', '--exclude-standard', '--', ...CODE).filter(isCode);
  const found = new Set(code.flatMap((path) => readFileSync(ROOT + path, 'utf8').match(/\w+/g) ?? []));
  expect(names.filter((name) => !found.has(name))).toEqual([]);
});

test('a name that CONTRIBUTING puts in a file is in it', () => {
  const places = [...TEXT.matchAll(/`(\w+)(?:\(\))?` in `([^`]+\.(?:ts|sql))`/g)];
  const absent = places.filter(([, name = '', path = '']) => {
    const file = namedFile(path);
    return file === undefined || !new RegExp(String.raw`\b${name}\b`).test(readFileSync(ROOT + file.slice(1), 'utf8'));
  });
  expect(places.length).toBeGreaterThan(20);
  expect(absent.map(([whole]) => whole)).toEqual([]);
});

test.each(['one request', 'one score()', 'one label'])('one row a step, one file a row: %s', (flow) => {
  const section = TEXT.split(`## Follow ${flow}\n`)[1] ?? '';
  const [, , ...rows] = /(?:^\|.*\|\n)+/m.exec(section)?.[0].trimEnd().split('\n') ?? [];
  expect(rows.filter((row) => !/ \| `[^`]+` \|$/.test(row))).toEqual([]);
  expect(rows.length).toBeGreaterThan(0);
  expect(rows.length).toBeLessThanOrEqual(12);
});
