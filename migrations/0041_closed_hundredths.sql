-- Thresholds are hundredths, and call positive what is at least as large: a score that is a hundredth belongs to the bin above.

update pgscore_data.score_bins s set edges = x.edges, mirrored = x.mirrored
  from (select array_agg(o.edge order by o.edge) as edges, array_agg(-o.edge order by o.edge desc) as mirrored
          from (select case when e = any (array(select n / 100.0::float8 from generate_series(1, 99) n)) then e - e * 2 ^ -53::float8 else e end as edge
                  from pgscore_data.score_bins b cross join unnest(b.edges) e) o) x;

comment on table pgscore_data.score_bins is 'Inner edges of the bins that probabilities are counted in: 50 a decade from 1e-7 to 0.01, thousandths to 0.99, and the mirror of the first near 1, so that AUC is right for rare classes too. Bin n holds edge n < p <= edge n+1. In the place of each hundredth stands the number before it, so that it is in the bin above. mirrored: the same edges negated and sorted, for width_bucket(), which closes bins on the left.';
comment on table pgscore_data.score_bin is 'The bins that score_bins makes, a row each: p > low, p <= high; of a hundredth p >= low, p < high. To be joined: an element of a long array costs 40 µs.';
comment on column pgscore_data.cell_score.n_positive is 'How many of them were called positive. Of what was counted before this column was, those in bins that begin at the threshold or above it.';
comment on column pgscore_data.execution.threshold is 'As the deployer gave it; NULL: labels are the model''s own.';
