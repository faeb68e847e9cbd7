import { expect, test } from '@jest/globals';

import { OVERVIEW, readAddress, writeAddress } from '../../src/page/address.ts';

test('an address is read as it was written', () => {
  const address = {
    model: 'Größe/50 %?#&',
    versions: [3, 1],
    grain: 'week' as const,
    metric: 'roc_auc',
    month: '2026-02-01',
    threshold: 0.35,
    previous: true,
    target: 'heating',
    feature: '<b> & c',
    day: '2026-02-03',
    part: 'why' as const,
  };
  expect(readAddress(writeAddress(address))).toEqual(address);
  expect(readAddress(writeAddress(OVERVIEW))).toEqual(OVERVIEW);
});

test.each(['', '#', '#/', '#/model/', '#/elsewhere', '#?versions=1'])('%j is the overview', (hash) => {
  expect(readAddress(hash)).toEqual(OVERVIEW);
});

test('what makes no sense in an address is left out', () => {
  const hash = '#/model/%E0%A4%A?versions=x,2,-1&grain=year&month=soon&threshold=2&day=2026';
  expect(readAddress(hash)).toEqual({ ...OVERVIEW, model: '%E0%A4%A', versions: [2] });
});
