/**
 * Settings of sessions whose statements look few rows up in tables that grow by thousands of rows a minute: a plan that was
 * made while such a table was small would read all of it, and be kept until autovacuum comes round.
 */
export const LOOKING_UP = { seq_page_cost: '1000' };
