import { readFile } from 'node:fs/promises';

import { describe, expect, test } from '@jest/globals';

import { OPTIONS, serviceConfig, type OptionSpec } from '../src/config.ts';
import { expectCommitted } from './support/committed.ts';

const PAGE = new URL('../docs/reference/configuration.md', import.meta.url);

function table(): string {
  const rows = Object.values(OPTIONS).map(
    ({ flag, env, kind, fallback, help }: OptionSpec) =>
      `| \`${flag}\` | \`${env}\` | ${kind} | ${fallback ?? ''} | ${help} |`,
  );
  return ['| flag | environment | kind | default | meaning |', '|---|---|---|---|---|', ...rows].join('\n');
}

test('the page on configuration holds the table of settings', async () => {
  const page = await readFile(PAGE, 'utf8');
  const renewed = page.replace(/^\| flag \|(?:.*\n)(?:\|.*\n)+/m, () => `${table()}\n`);
  await expectCommitted('docs/reference/configuration.md', renewed);
});

describe('settings of the service', () => {
  test('come from flags, with defaults', () => {
    expect(serviceConfig({ pollSeconds: '0.5', scorers: '3' }, 8)).toMatchObject({
      pollMs: 500,
      scorers: 3,
      leaseMs: 15_000,
      httpHost: '127.0.0.1',
    });
  });

  test('refuse a token that could be guessed, and a header that is none', () => {
    expect(() => serviceConfig({ pageToken: 'secret' }, 1)).toThrow(/--page-token has fewer than 16 characters/);
    expect(() => serviceConfig({ pageUserHeader: 'X-User: ana' }, 1)).toThrow(/no name of a header/);
    expect(serviceConfig({ pageUserHeader: 'X-Forwarded-User' }, 1).page.userHeader).toBe('x-forwarded-user');
  });

  test('are one scorer a core unless said otherwise', () => {
    expect(serviceConfig({}, 8).scorers).toBe(8);
  });

  test.each(['', 'many', '0', '1.5', '-2', 'Infinity'])('refuse "%s" scorers and name flag and variable', (scorers) => {
    expect(() => serviceConfig({ scorers }, 8)).toThrow(/--scorers \(PGSCORE_SCORERS\)/);
  });

  test.each(['not a url', 'ftp://token@example.com/x', 'https://user:token@example.com/x'])(
    'refuse %s as the webhook of alerts, without repeating what may be a token',
    (alertWebhook) => {
      const refused = (): unknown => serviceConfig({ alertWebhook }, 8);
      expect(refused).toThrow(/--alert-webhook \(PGSCORE_ALERT_WEBHOOK\)/);
      expect(refused).not.toThrow(/token|not a url/);
    },
  );
});
