-- The bucket of a key: a hash that is the same in every language, by which entities are split.

-- Inlined: STABLE, as convert_to() is.
create or replace function pgscore.bucket(salt text, key text) returns int
language sql stable parallel safe
return (('x' || left(encode(sha256(convert_to(salt || E'\x1f' || key, 'UTF8')), 'hex'), 8))::bit(32)::bigint % 10000)::int;
comment on function pgscore.bucket(text, text) is
'The bucket of a key, 0 to 9999: the first four bytes of the SHA-256 of salt, U+001F and key in UTF-8, as a number, modulo 10000.
bucket(''autumn'', customer_id) < 1000 holds for a tenth of all customers, the same ones everywhere. '
'Whoever is below 1000 is below 5000, too.
salt: another one splits anew.  key: text, an integer as its digits, or a uuid; '
'of several columns an array of texts. NULL where one is NULL.';

create or replace function pgscore.bucket(salt text, key bigint) returns int
language sql stable parallel safe
return pgscore.bucket(salt, key::text);
comment on function pgscore.bucket(text, bigint) is 'The bucket of an integer, which is that of its digits.';

create or replace function pgscore.bucket(salt text, key uuid) returns int
language sql stable parallel safe
return pgscore.bucket(salt, key::text);
comment on function pgscore.bucket(text, uuid) is 'The bucket of a uuid, which is that of its text in lower case with hyphens.';

create or replace function pgscore.bucket(salt text, key text[]) returns int
language sql stable parallel safe
return case when array_position(key, null) is null then pgscore.bucket(salt, array_to_string(key, E'\x1f')) end;
comment on function pgscore.bucket(text, text[]) is 'The bucket of a key of several columns, which is that of them joined by U+001F.';
