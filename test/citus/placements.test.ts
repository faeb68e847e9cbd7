import { describe, expect, test } from '@jest/globals';

import { nodeName, nodeUrl } from '../../src/citus/placements.ts';

const placement = (shardId: string, host: string, port = 5432) => ({ shardId, host, port, isCoordinator: false });

describe('the URL of a node', () => {
  test.each([
    [
      'postgresql://reader:pw@coordinator:6000/shop?sslmode=require',
      'postgresql://reader:pw@one:5432/shop?sslmode=require',
    ],
    ['postgresql://reader@/shop?host=/run/postgresql&port=6000', 'postgresql://reader@one:5432/shop'],
    ['postgresql://reader@coordinator/', 'postgresql://reader@one:5432/'],
  ])('is that of the coordinator with its own address: %s', (url, expected) => {
    expect(nodeUrl(url, placement('1', 'one'))).toBe(expected);
  });

  test('takes an address of IPv6', () => {
    expect(nodeUrl('postgresql://reader@coordinator/shop', placement('1', '::1'))).toBe(
      'postgresql://reader@[::1]:5432/shop',
    );
  });
});

test('shards of one node are told by its host and port', () => {
  const all = [placement('1', 'one'), placement('2', 'two'), placement('3', 'one'), placement('4', 'one', 5433)];
  expect(all.map(nodeName)).toEqual(['one:5432', 'two:5432', 'one:5432', 'one:5433']);
});
