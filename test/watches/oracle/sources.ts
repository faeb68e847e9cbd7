import type { Client } from 'pg';

/** A table that is written to: `rows` gives random rows of it as values lists. */
export type WrittenTable = {
  readonly name: string;
  /** Its parts that are written to directly. */
  readonly parts: readonly { readonly name: string; readonly from: number; readonly to: number }[];
  readonly key: string;
  readonly columns: readonly string[];
  readonly isReferenced: boolean;
};

/** A source that is watched, and the target that is to follow it. */
export type Watched = {
  readonly source: string;
  readonly target: string;
  readonly onChangeOf?: Record<string, string>;
  readonly isPolled?: true;
};

export const MOST_ID = 400;
const FEATURES = ['sepal_length', 'sepal_width', 'petal_length', 'petal_width'];
const PARTS = [
  { name: 'parts_low', from: 1, to: 100 },
  { name: 'parts_middle', from: 101, to: 250 },
  { name: 'parts_high', from: 251, to: 400 },
];

export const TABLES: readonly WrittenTable[] = [
  { name: 'plain', parts: [], key: 'id', columns: [...FEATURES, 'note'], isReferenced: false },
  { name: 'parts', parts: PARTS, key: 'id', columns: FEATURES, isReferenced: false },
  { name: 'customers', parts: [], key: 'id', columns: ['sepal_length', 'note'], isReferenced: true },
  { name: 'profiles', parts: [], key: 'customer_id', columns: ['sepal_width', 'note'], isReferenced: false },
  {
    name: 'orders',
    parts: [],
    key: 'id',
    columns: ['customer_id', 'petal_length', 'petal_width'],
    isReferenced: false,
  },
];

export const WATCHED: readonly Watched[] = [
  { source: 'plain', target: 'plain_live' },
  { source: 'parts', target: 'parts_live' },
  {
    source: 'joined',
    target: 'joined_live',
    onChangeOf: { customers: 'id', profiles: 'customer_id', orders: 'customer_id' },
  },
  { source: 'parts', target: 'parts_polled', isPolled: true },
  { source: 'joined', target: 'joined_polled', isPolled: true },
];

/** A table, a partitioned table, one of whose partitions has partitions, and a view of three tables with foreign keys. */
export async function createSources(alice: Client): Promise<void> {
  const features = FEATURES.map((name) => `${name} real`).join(', ');
  const create = `
    create table plain (id bigint primary key, ${features}, note text);
    create table parts (id bigint primary key, ${features}) partition by range (id);
    create table parts_low partition of parts for values from (minvalue) to (101);
    create table parts_middle partition of parts for values from (101) to (251) partition by range (id);
    create table parts_middle_1 partition of parts_middle for values from (101) to (180);
    create table parts_middle_2 partition of parts_middle for values from (180) to (251);
    create table parts_high partition of parts for values from (251) to (maxvalue);
    create table customers (id bigint primary key, sepal_length real, note text);
    create table profiles (customer_id bigint primary key references customers on delete cascade on update cascade,
      sepal_width real, note text);
    create table orders (id bigint primary key, customer_id bigint references customers on delete cascade on update cascade,
      petal_length real, petal_width real);
    create index on orders (customer_id);
    create view joined as
      select c.id, c.sepal_length, coalesce(p.sepal_width, 3) as sepal_width, o.petal_length, o.petal_width
        from customers c left join profiles p on p.customer_id = c.id
       cross join lateral (
         select coalesce(max(o.petal_length), 1) as petal_length, coalesce(min(o.petal_width), 1) as petal_width
           from orders o where o.customer_id = c.id) o`;
  await alice.query(create);
}

export async function watch(alice: Client, { source, target, onChangeOf, isPolled }: Watched): Promise<void> {
  await alice.query(
    `select pgscore.watch('iris', $1, target => $2, key => 'id', on_change_of => $3, capture => $4, poll_every => '1 s',
       keep_history => '1 day')`,
    [source, target, onChangeOf ?? null, isPolled ? 'poll' : 'triggers'],
  );
}
