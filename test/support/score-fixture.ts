import type { Client } from 'pg';

import { cloneDatabase, type TestDatabase } from './database.ts';
import { startTestService, type TestService } from './service.ts';

/** A database with a running service, and a connection of each role that deploys, calls or looks. */
export type ScoreFixture = {
  readonly database: TestDatabase;
  readonly service: TestService;
  readonly superuser: Client;
  readonly ada: Client;
  readonly alice: Client;
  readonly bob: Client;
};

/** What a test of score() begins with; `settings` are of the service. To be called at the top of a test file. */
export async function scoreFixture(settings: Record<string, string> = {}): Promise<ScoreFixture> {
  const database = await cloneDatabase();
  const [service, superuser, ada, alice, bob] = await Promise.all([
    startTestService(database, settings),
    database.client(),
    database.client('ada'),
    database.client('alice'),
    database.client('bob'),
  ]);
  return { database, service, superuser, ada, alice, bob };
}
