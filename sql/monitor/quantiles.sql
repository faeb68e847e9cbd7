-- Regressions that predict a quantile: which one is not in the model, so somebody has to say.

create or replace function pgscore_data._check_quantile(this_model int, base text, this_quantile double precision) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if this_quantile is null then
    return;
  end if;
  if not (this_quantile >= 0 and this_quantile < 1) then
    raise exception 'quantile => % is not between 0 and 1', this_quantile using
      errcode = 'invalid_parameter_value', hint = 'Give the share of actual values that the model was trained to stay above, such as 0.9; '
                                                  '0 takes it back.';
  end if;
  if exists (select from pgscore_data.execution e join pgscore_data.version v using (version_id)
              where v.model_id = this_model and e.task <> 'regression') then
    raise exception 'model "%" is a classifier, and predicts no quantile', base using
      errcode = 'invalid_parameter_value', hint = 'Leave quantile out.';
  end if;
end
$$;
comment on function pgscore_data._check_quantile(int, text, double precision) is
  'Refuses a quantile that is none, or that no version of the model could predict.';
