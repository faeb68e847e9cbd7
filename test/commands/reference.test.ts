import { test } from '@jest/globals';

import { expectCommitted } from '../support/committed.ts';
import { reference } from './reference.ts';

test('docs/reference/cli.md is what --help and the table of errors say', async () => {
  await expectCommitted('docs/reference/cli.md', reference());
});
