import { expect, test } from '@jest/globals';

import { scramVerifier } from '../../src/install/roles.ts';

test('a password becomes the verifier that PostgreSQL would store', async () => {
  // RFC 7677, section 3: user "user", password "pencil", this salt and 4096 iterations.
  const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64');
  expect(await scramVerifier('pencil', salt)).toBe(
    'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=',
  );
});

test('two passwords that look alike are one (RFC 4013)', async () => {
  const salt = Buffer.alloc(16);
  expect(await scramVerifier('a\u00a0\u00adb', salt)).toBe(await scramVerifier('a b', salt));
  expect(await scramVerifier('\u2168', salt)).toBe(await scramVerifier('IX', salt));
});
