import { afterEach, expect } from '@jest/globals';
import type { Client } from 'pg';
import type { Page } from 'playwright-core';

import { chromiumHere, openPage } from '../support/browser.ts';
import type { TestDatabase } from '../support/database.ts';
import type { TestService } from '../support/service.ts';

/** A database, its service and a page of it, which all parts of a test file share. */
export type Stage = {
  readonly database: TestDatabase;
  readonly superuser: Client;
  readonly ada: Client;
  readonly alice: Client;
  readonly service: TestService;
  readonly page: Page;
  /** Shows an address in a new view: what another address has drawn must not be taken for this one's. */
  readonly show: (hash: string, width?: number) => Promise<void>;
  readonly rowsOf: <Row extends object>(text: string) => Promise<Row[]>;
};

/** What makes an open page go to an address; to another view of the same model by way of one that is not there. */
const goTo = (hash: string): string => `{
  const hash = ${JSON.stringify(hash)};
  const isSameModel = location.hash.split('?')[0] === hash.split('?')[0];
  for (const next of isSameModel ? ['#/model/none', hash] : [hash]) {
    history.pushState(null, '', next);
    dispatchEvent(new Event('hashchange'));
  }
}`;

/** After each test, nothing may have gone wrong in the page. undefined where there is no Chromium. */
export async function openStage(database: TestDatabase, service: TestService): Promise<Stage | undefined> {
  if (chromiumHere === undefined) return undefined;
  const superuser = await database.client();
  const [ada, alice] = await Promise.all([database.client('ada'), database.client('alice')]);
  const { page, complaints } = await openPage(service.url);
  afterEach(() => {
    expect(complaints.splice(0)).toEqual([]);
  });
  return {
    database,
    superuser,
    ada,
    alice,
    service,
    page,
    show: async (hash, width = 1280) => {
      if (page.viewportSize()?.width !== width) await page.setViewportSize({ width, height: 900 });
      if (page.url().startsWith(service.url)) await page.evaluate(goTo(hash));
      else await page.goto(`${service.url}/${hash}`);
    },
    rowsOf: async <Row extends object>(text: string) => (await superuser.query(text)).rows as Row[],
  };
}
