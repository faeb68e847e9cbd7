/**
 * Settings of sessions whose statements look few rows up in tables that grow by thousands of rows a minute: a plan that was
 * made while such a table was small reads all of it, and is kept until autovacuum comes round.
 */
export const LOOKING_UP = { enable_seqscan: 'off' };
