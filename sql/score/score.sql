-- score(), predict() and classify(): one row, inside any query.

-- These are inlined into the query, so that a constant model on a bound table costs no more than the model, and all calls of a statement
-- have one version. Hence they have no SET, qualify every name, and use each argument once: PostgreSQL inlines no function that uses a
-- computed argument twice. VOLATILE, so that a filter, an ORDER BY and EXPLAIN do not call the service again. RESTRICTED, as workers do not
-- share the session's connection to it. The cost, 25 times that of reading a page, puts every other condition of a WHERE first.

create or replace function pgscore.score(model text, features anyelement) returns double precision
language sql volatile parallel restricted cost 10000
as $$ select pgscore_models._score($1, $2, ''::pg_catalog.varchar) $$;
comment on function pgscore.score(text, anyelement) is
'What a model says of one row: the probability of the positive class of a classifier, the value of a regression.
model: churn (its champion), churn@3 or churn@challenger.
features: a row (select score(''churn'', c) from customers c), a row of a subquery, or jsonb;
matched to the model''s features by name, further columns are ignored. The NULL row of an outer join gives NULL.
Native models are computed in the query, others by the service (pgscore.models.execution);
set pgscore.execution = native or online to insist. On a bound table a native model is always native.';

create or replace function pgscore.score(model text, features text) returns double precision
language sql volatile parallel restricted cost 10000
as $$ select pgscore_models._score_json(pgscore_models._route($1), pgscore_models._json_row($2)) $$;
comment on function pgscore.score(text, text) is 'score() of a row written as JSON: select score(''churn'', ''{"age": 41}'').';

create or replace function pgscore.score(model text, features anyelement, class text) returns double precision
language sql volatile parallel restricted cost 10000
as $$ select pgscore_models._score_class(pgscore_models._call(pgscore_models._route($1), $2), $3) $$;
comment on function pgscore.score(text, anyelement, text) is
'The probability of one class of a row: select score(''species'', i, class => ''setosa'') from iris i. Of a model with several values a '
'row, the one that is named so: score(''energy'', b, class => ''heating'').';

create or replace function pgscore.predict(model text, features anyelement) returns jsonb
language sql volatile parallel restricted cost 10000
as $$ select pgscore_models._predict_json(pgscore_models._call(pgscore_models._route($1), $2)) $$;
comment on function pgscore.predict(text, anyelement) is
'All that a model says of one row, as jsonb: label, probabilities by class and version of a classifier; value and version of a regression;
values by name of several targets or quantiles; the labels that apply, and the probability of each, of a model with several labels;
the vector of an embedding.
Arguments as of score().';

create or replace function pgscore.classify(model text, features anyelement) returns text
language sql volatile parallel restricted cost 10000
as $$ select pgscore_models._classify(pgscore_models._call(pgscore_models._route($1), $2)) $$;
comment on function pgscore.classify(text, anyelement) is 'The label of one row, by the version''s threshold. Arguments as of score().';

create or replace function pgscore.embed(model text, features anyelement) returns real[]
language sql volatile parallel restricted cost 10000
as $$ select pgscore_models._embed(pgscore_models._call(pgscore_models._route($1), $2)) $$;
comment on function pgscore.embed(text, anyelement) is
'The vector that a model of task embedding makes of one row: select embed(''encoder'', t) from texts t. pgvector takes it: '
'embed(…)::vector. Arguments as of score().';

create or replace function pgscore.embed(model text, features text) returns real[]
language sql volatile parallel restricted cost 10000
as $$ select pgscore_models._embed(pgscore_models._call(pgscore_models._route($1), pgscore_models._json_row($2))) $$;
comment on function pgscore.embed(text, text) is 'embed() of a row written as JSON.';

create or replace function pgscore.score(model text, features text, class text) returns double precision
language sql volatile parallel restricted cost 10000
as $$ select pgscore_models._score_class(pgscore_models._call(pgscore_models._route($1), pgscore_models._json_row($2)), $3) $$;
comment on function pgscore.score(text, text, text) is 'The probability of one class of a row written as JSON.';

create or replace function pgscore.predict(model text, features text) returns jsonb
language sql volatile parallel restricted cost 10000
as $$ select pgscore_models._predict_json(pgscore_models._call(pgscore_models._route($1), pgscore_models._json_row($2))) $$;
comment on function pgscore.predict(text, text) is 'predict() of a row written as JSON.';

create or replace function pgscore.classify(model text, features text) returns text
language sql volatile parallel restricted cost 10000
as $$ select pgscore_models._classify(pgscore_models._call(pgscore_models._route($1), pgscore_models._json_row($2))) $$;
comment on function pgscore.classify(text, text) is 'classify() of a row written as JSON.';

create or replace function pgscore_data._create_public_score() returns boolean
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  this record;
begin
  if exists (
    select from pg_proc theirs join pg_proc ours on ours.proargtypes = theirs.proargtypes and ours.proname = theirs.proname
     where ours.pronamespace = 'pgscore'::regnamespace and ours.proname in ('score', 'score_or_null')
       and theirs.pronamespace = 'public'::regnamespace and theirs.proowner <> 'pgscore_owner'::regrole
  ) then
    return false;
  end if;
  for this in
    select p.proname as name, p.pronargs, pg_get_function_arguments(p.oid) as arguments,
      pg_get_function_identity_arguments(p.oid) as identity, obj_description(p.oid, 'pg_proc') as comment,
           case p.proparallel when 'u' then 'unsafe' else 'restricted' end as parallel
      from pg_proc p where p.pronamespace = 'pgscore'::regnamespace and p.proname in ('score', 'score_or_null')
  loop
    execute format('create or replace function public.%I(%s) returns double precision language sql volatile parallel %s cost 10000 as %L',
      this.name, this.arguments, this.parallel,
      format('select pgscore.%I(%s)', this.name,
        (select string_agg('$' || n, ', ' order by n) from generate_series(1, this.pronargs) n)));
    execute format('comment on function public.%I(%s) is %L', this.name, this.identity, this.comment);
    execute format('revoke all on function public.%I(%s) from public', this.name, this.identity);
    execute format('grant execute on function public.%I(%s) to pgscore_user', this.name, this.identity);
  end loop;
  return true;
end
$$;
comment on function pgscore_data._create_public_score() is
'Makes public.score() and public.score_or_null(), so that both are found without a schema; false where somebody else has one.';
