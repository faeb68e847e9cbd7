import { describe, expect, test } from '@jest/globals';

import { drawnIn, openPage } from '../../support/browser.ts';
import { startTestService } from '../../support/service.ts';
import { waitFor } from '../../support/wait-for.ts';
import type { Stage } from '../stage.ts';

export function use({ database, service, page, show }: Stage): void {
  const focusedKey = (): Promise<string | null> => page.evaluate(`document.activeElement.getAttribute('data-key')`);

  describe('the page', () => {
    test('is used with the keyboard alone', async () => {
      await show('#/');
      const link = page.locator('.model a', { hasText: 'price' });
      await link.waitFor();
      await link.focus();
      await page.keyboard.press('Enter');
      await page.locator('h1', { hasText: 'price' }).waitFor();
      await drawnIn(page, 'performance');
      expect(await page.evaluate('document.activeElement.id')).toBe('main');
      const keys: (string | null)[] = [];
      for (let presses = 0; presses < 30; presses += 1) {
        await page.keyboard.press('Tab');
        keys.push(await focusedKey());
      }
      expect(keys).toEqual(expect.arrayContaining(['version 1', 'version 2', 'metric', 'day', 'week', 'month']));
      await page.locator('[data-key=week]').focus();
      await page.keyboard.press('Enter');
      await page.locator('[data-key=week][aria-pressed=true]').waitFor();
      expect(await focusedKey()).toBe('week');
      await page.keyboard.press('Shift+Tab');
      await page.keyboard.press('Space');
      await page.waitForURL(/grain=day/);
      await page.goBack();
      await page.locator('[data-key=week][aria-pressed=true]').waitFor();
    });

    test('keeps what it shows in its address', async () => {
      await show('#/model/price');
      await page.locator('[data-key=metric]').selectOption('bias');
      await page.locator('[data-key="version 2"]').click();
      await page.locator('[data-key="version 2"][aria-pressed=false]').waitFor();
      const { page: other, complaints } = await openPage(service.url);
      await other.goto(page.url());
      const labels = (await drawnIn(other, 'performance')).map(({ label }) => label);
      expect(labels).toEqual(['version 1', 'labelled']);
      expect(await other.locator('[data-key=metric]').inputValue()).toBe('bias');
      expect(complaints).toEqual([]);
      await other.close();
    });

    test('fits a narrow window and a wide one, dark', async () => {
      await page.emulateMedia({ colorScheme: 'dark' });
      for (const hash of ['#/', '#/model/churn', '#/model/price', '#/model/animal']) {
        await show(hash, 390);
        await page.locator('#runs tbody tr').first().waitFor();
        for (const width of [390, 1280]) {
          await page.setViewportSize({ width, height: 900 });
          expect([hash, await page.evaluate('document.documentElement.scrollWidth')]).toEqual([hash, width]);
        }
      }
      await page.emulateMedia({ colorScheme: 'light' });
    });
  });

  describe('the page on an address that others reach', () => {
    test('asks for its token, once', async () => {
      const token = 'a token that nobody guesses';
      const guarded = await startTestService(database, { PGSCORE_HTTP_HOST: '0.0.0.0', PGSCORE_PAGE_TOKEN: token });
      const origin = guarded.url.replace('0.0.0.0', '127.0.0.1');
      const { page: visitor } = await openPage(origin);
      await visitor.goto(`${origin}/#/model/price`);
      await visitor.locator('#token').fill('another token, as long');
      await visitor.keyboard.press('Enter');
      await visitor.getByText('That is not the token').waitFor();
      await waitFor(() => visitor.locator('#token').evaluate((field) => field.matches(':focus')), {
        message: 'the focus',
      });
      await visitor.keyboard.type(token);
      await visitor.keyboard.press('Enter');
      await visitor.locator('#models').waitFor();
      await visitor.goto(`${origin}/#/model/price`);
      await drawnIn(visitor, 'performance');
      expect(await visitor.evaluate('document.cookie')).toBe('');
      const { page: invited } = await openPage(origin);
      await invited.goto(`${origin}/?token=${encodeURIComponent(token)}#/model/price`);
      await drawnIn(invited, 'performance');
      expect(invited.url()).toBe(`${origin}/#/model/price`);
      await Promise.all([visitor.close(), invited.close()]);
      await guarded.stop();
    });
  });
}
