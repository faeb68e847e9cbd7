import { statement } from '../postgres/statement.ts';

/** A shard of a distributed table, and the node that holds it. */
export type Placement = {
  readonly shardId: string;
  readonly host: string;
  readonly port: number;
  readonly isCoordinator: boolean;
};

/** Where the shards [from, to) of a distributed table are, by their ids; all after `from` where `to` is null. By name: it is looked up anew. */
export const placementsOf = statement<[schema: string, name: string, from: number, to: number | null], Placement>(
  'placements',
  `select distinct on (s.shardid) s.shardid as "shardId", n.nodename as host, n.nodeport as port, n.groupid = 0 as "isCoordinator"
     from pg_catalog.pg_dist_shard s
     join pg_class c on c.oid = s.logicalrelid join pg_namespace x on x.oid = c.relnamespace
     join pg_catalog.pg_dist_placement p on p.shardid = s.shardid and p.shardstate = 1
     join pg_catalog.pg_dist_node n on n.groupid = p.groupid and n.noderole = 'primary'
    where x.nspname = $1 and c.relname = $2 and s.shardid >= $3 and ($4::bigint is null or s.shardid < $4)
    order by s.shardid, n.nodeid`,
);

/** The node of a placement, as users read it. */
export function nodeName({ host, port }: Placement): string {
  return `${host}:${port}`;
}

/** The URL of a node, as that of the coordinator is. */
export function nodeUrl(url: string, { host, port }: Placement): string {
  // URL() takes no name of a user without a host.
  const node = new URL(url.replace(/^(\w+:\/\/[^/@]*@?)(?=\/)/, '$1localhost'));
  node.searchParams.delete('host');
  node.searchParams.delete('port');
  node.host = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  return node.href;
}
