-- Everything that an analyst may read, in one view: what it means, by which formula, and what its values were compared with.

create or replace view pgscore_data.metric_formula as
select * from (values
  ('accuracy', '(TP + TN) / n; of more classes, right / n', 'sklearn.metrics.accuracy_score'),
  ('balanced_accuracy', '(TP / (TP + FN) + TN / (TN + FP)) / 2; the one that is defined, where the other is not',
   'sklearn.metrics.balanced_accuracy_score'),
  ('precision_score', 'TP / (TP + FP)', 'sklearn.metrics.precision_score(zero_division=nan)'),
  ('recall_score', 'TP / (TP + FN)', 'sklearn.metrics.recall_score(zero_division=nan)'),
  ('true_positive_rate', 'TP / (TP + FN)', 'sklearn.metrics.roc_curve(drop_intermediate=False)'),
  ('false_positive_rate', 'FP / (FP + TN)', 'sklearn.metrics.roc_curve(drop_intermediate=False)'),
  ('f1_score', '2 TP / (2 TP + FP + FN)', 'sklearn.metrics.f1_score(zero_division=nan)'),
  ('specificity', 'TN / (TN + FP)', 'sklearn.metrics.recall_score(pos_label=0, zero_division=nan)'),
  ('mcc', '(TP TN - FP FN) / sqrt((TP + FP) (TP + FN) (TN + FP) (TN + FN)); of more classes (Gorodkin) (n right - sum t_k p_k) / '
          'sqrt((n^2 - sum p_k^2) (n^2 - sum t_k^2)), t_k of class k being true and p_k said',
          'sklearn.metrics.matthews_corrcoef; NULL where it says 0 for one class'),
  ('cohen_kappa', '(agreement - chance) / (1 - chance), chance being sum t_k p_k / n^2', 'sklearn.metrics.cohen_kappa_score'),
  ('brier_score', 'sum (p - y)^2 / n', 'sklearn.metrics.brier_score_loss'),
  ('log_loss', '-sum ln p(truth) / n, p clipped to 2.22e-16 and 1 - 2.22e-16', 'sklearn.metrics.log_loss(labels=declared)'),
  ('roc_auc', 'sum over bins of P (N below + N / 2) / (all P all N)', 'sklearn.metrics.roc_auc_score, within roc_auc_error_bound'),
  ('roc_auc_error_bound', 'sum over bins of P N / 2 / (all P all N)', 'sklearn.metrics.roc_auc_score'),
  ('roc_auc_ci_low', 'the lower one of: Newcombe 2006, method 5; DeLong 1988 on the logit scale; both with t of min(P, N) - 1 degrees',
   'numpy, from every pair'),
  ('roc_auc_ci_high', 'the higher one of both', 'numpy, from every pair'),
  ('macro_roc_auc', 'mean of roc_auc of each class against the others, where defined', 'sklearn.metrics.roc_auc_score, class by class'),
  ('average_precision', 'sum (recall_k - recall_k-1) precision_k, thresholds descending', 'sklearn.metrics.average_precision_score'),
  ('ks_of_scores', 'max |true positive rate - false positive rate|, at the ends of bins',
   'scipy.stats.ks_2samp, within ks_of_scores_error_bound'),
  ('ks_of_scores_error_bound', 'the same at any order of scores inside of a bin, less ks_of_scores', 'scipy.stats.ks_2samp'),
  ('ece', 'sum over ten tenths of n_b / n |mean y_b - mean p_b|, closed on the left', 'numpy'),
  ('mean_score', 'mean p of the bin', 'sklearn.calibration.calibration_curve(strategy=''uniform'')'),
  ('observed_rate', 'mean y of the bin', 'sklearn.calibration.calibration_curve(strategy=''uniform'')'),
  ('lift', 'precision / share of positives', 'sklearn.metrics.precision_score'),
  ('macro_precision', 'mean of hits_k / p_k, where defined', 'sklearn.metrics.precision_score(average=''macro'', zero_division=nan)'),
  ('macro_recall', 'mean of hits_k / t_k, where defined', 'sklearn.metrics.recall_score(average=''macro'', zero_division=nan)'),
  ('macro_f1', 'mean of 2 hits_k / (t_k + p_k), where defined', 'sklearn.metrics.f1_score(average=''macro'', zero_division=nan)'),
  ('weighted_precision', 'sum t_k hits_k / p_k / sum t_k, where defined',
   'sklearn.metrics.precision_score(average=''weighted'', zero_division=nan)'),
  ('weighted_recall', 'sum hits_k / n', 'sklearn.metrics.recall_score(average=''weighted'', zero_division=nan)'),
  ('weighted_f1', 'sum t_k 2 hits_k / (t_k + p_k) / n', 'sklearn.metrics.f1_score(average=''weighted'', zero_division=nan)'),
  ('micro_precision', 'sum hits_k / sum p_k = right / n', 'sklearn.metrics.precision_score(average=''micro'')'),
  ('micro_recall', 'sum hits_k / sum t_k = right / n', 'sklearn.metrics.recall_score(average=''micro'')'),
  ('micro_f1', '2 sum hits_k / sum (t_k + p_k) = right / n', 'sklearn.metrics.f1_score(average=''micro'')'),
  ('top_2_accuracy', 'share whose truth has rank 1 or 2', 'sklearn.metrics.top_k_accuracy_score(k=2)'),
  ('top_3_accuracy', 'share whose truth has rank 1 to 3', 'sklearn.metrics.top_k_accuracy_score(k=3)'),
  ('top_5_accuracy', 'share whose truth has rank 1 to 5', 'sklearn.metrics.top_k_accuracy_score(k=5)'),
  ('mae', 'sum |p - y| / n', 'sklearn.metrics.mean_absolute_error'),
  ('rmse', 'sqrt(sum (p - y)^2 / n)', 'sklearn.metrics.root_mean_squared_error'),
  ('bias', 'sum (p - y) / n', 'numpy'),
  ('r2', '1 - sum (p - y)^2 / sum (y - mean y)^2', 'sklearn.metrics.r2_score(force_finite=False)'),
  ('explained_variance', '1 - var(p - y) / var(y)', 'sklearn.metrics.explained_variance_score(force_finite=False)'),
  ('mape', 'mean of |p - y| / |y| over y <> 0', 'sklearn.metrics.mean_absolute_percentage_error, of y <> 0'),
  ('wape', 'sum |p - y| / sum |y|', 'numpy'),
  ('median_abs_error', 'median of |p - y|, from buckets 2 % wide', 'sklearn.metrics.median_absolute_error, within 1 %'),
  ('p90_abs_error', 'quantile 0.9 of |p - y|, from buckets 2 % wide', 'numpy.quantile, within 1 %'),
  ('max_abs_error', 'max |p - y|, from buckets 2 % wide', 'sklearn.metrics.max_error, within 1 %'),
  ('msle', 'sum (ln(1 + p) - ln(1 + y))^2 / n', 'sklearn.metrics.mean_squared_log_error'),
  ('coverage', 'share of y <= p', 'numpy'),
  ('subset_accuracy', 'rows with all labels right / n', 'sklearn.metrics.accuracy_score, of a matrix'),
  ('interval_coverage', 'share of lowest p <= y <= highest p', 'numpy'),
  ('pinball_loss', 'sum max(q (y - p), (q - 1) (y - p)) / n', 'sklearn.metrics.mean_pinball_loss(alpha=q)'),
  ('psi', 'sum (w - b) ln(w / b) over ten bins, below, above and missing; a share of nothing is psi_floor',
   'numpy; the published figures of Wallaroo''s assays'),
  ('psi_noise_limit', '(1 / n + 1 / m) (99.5 % quantile of chi-squared + 3 sum min(1, 1 / e))',
   'simulation: test/monitor/drift-noise.pg.test.ts'),
  ('js_distance_base2', 'sqrt(KL(b || m) / 2 + KL(w || m) / 2), m = (b + w) / 2, logarithms to base 2',
   'scipy.spatial.distance.jensenshannon(b, w, 2)'),
  ('ks_statistic', 'max |F_b - F_w| at the edges of a hundred bins', 'scipy.stats.ks_2samp, on the middles of bins'),
  ('wasserstein_normed', 'sum |F_b - F_w| width / max(standard deviation of the baseline, 0.001)',
   'scipy.stats.wasserstein_distance, on the middles of bins'),
  ('tv_distance', 'sum |w - b| / 2', 'numpy; the published figures of Wallaroo''s assays'),
  ('l_infinity_distance', 'max |w - b|', 'numpy; the published figures of Wallaroo''s assays'),
  ('chi2_statistic', 'sum (observed - expected)^2 / expected of both samples, without Yates'' correction',
   'scipy.stats.chi2_contingency(correction=False)'),
  ('chi2_p_value', '1 - F(chi2_statistic) of chi-squared with bins - 1 degrees of freedom', 'scipy.stats.chi2.sf'),
  ('cramers_v', 'sqrt(chi2 / (n + m))', 'numpy'),
  ('ks_p_value', 'Kolmogorov''s limit of sqrt(n m / (n + m)) ks_statistic', 'scipy.special.kolmogorov'),
  ('psi_contribution', '(w - b) ln(w / b) of the bin', 'the published figures of Wallaroo''s assays'),
  ('missing_rate_delta', 'missing / n - missing of the baseline / m', 'recounted'),
  ('drift_share', 'features with a status of warning or alert / features with enough rows to tell', 'recounted'),
  ('share_of_actual', 'n / all that were this class', 'recounted'),
  ('label_coverage', 'n_labeled / (n_labeled + n_awaiting)', 'recounted'),
  ('estimated_accuracy', 'sum q over what was called positive, and 1 - q over the rest, / n; q is the calibrated score',
   'numpy, from every pair; calibration by sklearn.isotonic.IsotonicRegression'),
  ('estimated_roc_auc', 'as roc_auc, each prediction being q of a positive and 1 - q of a negative', 'numpy, from every pair')
) x (column_name, formula, golden_reference)
union all
select s.stem || e.ending, 'Wilson with continuity correction (Newcombe 1998, method 4): (x + z^2 / 2 ' || e.sign
    || ' z sqrt(x (1 - x / n) + z^2 / 4)) / (n + z^2), z = 1.96, x = k '
       || e.sign || ' 0.5, k / n being the share' || s.of, 'scipy.stats.binomtest(k, n).proportion_ci(method=''wilsoncc'')'
  from (values ('_ci_low', '-'), ('_ci_high', '+')) e (ending, sign)
 cross join (values ('accuracy', ''), ('precision', ''), ('recall', ''), ('specificity', ''), ('positive_rate_predicted', ''),
             ('true_positive_rate', ''), ('false_positive_rate', ''), ('share_of_actual', ''), ('positive_rate_actual', ''),
             ('top_2_accuracy', ''), ('top_3_accuracy', ''), ('top_5_accuracy', ''), ('coverage', ''), ('interval_coverage', ''),
             ('subset_accuracy', ''),
   ('f1', ' q = TP / (TP + FP + FN); F1 is 2q / (1 + q)')) s (stem, of)
union all
select s.stem || e.ending, s.stem || ' exp(' || case e.ending when '_ci_low' then '- e)' else s.widened end || ', e = ' || s.error, 'numpy'
  from (values ('_ci_low'), ('_ci_high')) e (ending)
 cross join (values ('mae', '1.1 e + 4 / (n - 1))', '1.96 sqrt((n sum |p - y|^2 / (sum |p - y|)^2 - 1) / (n - 1))'),
   ('rmse', '2 e + 12.5 / (n - 1))', '0.98 sqrt((n sum (p - y)^4 / (sum (p - y)^2)^2 - 1) / (n - 1))')) s (stem, widened, error);
comment on view pgscore_data.metric_formula is
  'By which formula a column of the views is computed, and what its values were compared with by test/monitor/golden. p is the '
  'prediction, y the truth, b and w shares of baseline and window.';

create or replace view pgscore_bi.data_dictionary as
select c.relname::text as view_name, a.attname::text as column_name, format_type(a.atttypid, null) as data_type,
       col_description(c.oid, a.attnum) as meaning, f.formula, f.golden_reference
  from pg_class c
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  left join pgscore_data.metric_formula f on f.column_name = a.attname
 where c.relnamespace = 'pgscore_bi'::regnamespace and c.relkind = 'v'
union all
select c.relname, '', 'view', obj_description(c.oid), null, null from pg_class c
 where c.relnamespace = 'pgscore_bi'::regnamespace and c.relkind = 'v';
comment on view pgscore_bi.data_dictionary is
  'Every view and column of this schema with its meaning; the row with an empty column_name is about the view.';

select pgscore_data._comment_columns('pgscore_bi.data_dictionary', pgscore_data._detail_meanings());
