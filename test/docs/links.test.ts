import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

import { expect, test } from '@jest/globals';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const FOLDERS = ['docs', 'docker', 'bench', 'demo', 'test/models'];
const pagesOf = (folder: string, recursive: boolean): string[] =>
  readdirSync(join(ROOT, folder), { recursive, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name));
const PAGES = [...pagesOf('.', false), ...FOLDERS.flatMap((folder) => pagesOf(folder, true))].toSorted();

const withoutCode = (text: string): string => text.replaceAll(/^```.*?^```$/gms, '').replaceAll(/`[^`\n]*`/g, '');

/** The anchor that GitHub gives a heading. */
const anchorOf = (heading: string): string =>
  heading
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(' ', '-');

function anchorsOf(page: string): Set<string> {
  const text = readFileSync(join(ROOT, page), 'utf8').replaceAll(/^```.*?^```$/gms, '');
  return new Set([...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => anchorOf(heading)));
}

/** The links of a page that lead nowhere. */
function brokenLinks(page: string): string[] {
  const text = withoutCode(readFileSync(join(ROOT, page), 'utf8'));
  return [...text.matchAll(/\]\(([^)\s#]*)(?:#([^)\s]*))?\)/g)].flatMap(([, path = '', anchor]) => {
    if (/^[a-z]+:/.test(path)) return [];
    const target = path === '' ? page : normalize(join(dirname(page), path));
    if (!existsSync(join(ROOT, target))) return [path];
    const isPage = statSync(join(ROOT, target)).isFile() && target.endsWith('.md');
    return anchor === undefined || (isPage && anchorsOf(target).has(anchor)) ? [] : [`${path}#${anchor}`];
  });
}

test.each(PAGES)('every link of %s leads to a file or a heading', (page) => {
  expect(brokenLinks(page)).toEqual([]);
});

test('every test that a page of docs/ names exists', () => {
  const files = readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' }).map((file) => `test/${file}`);
  const pages = PAGES.filter((page) => page.startsWith('docs/'));
  const named = pages.flatMap((page) => readFileSync(join(ROOT, page), 'utf8').match(/\btest\/[\w./-]*\w/g) ?? []);
  expect(named.length).toBeGreaterThan(10);
  expect(named.filter((name) => !files.some((file) => file.startsWith(name)))).toEqual([]);
});
