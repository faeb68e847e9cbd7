import { INVALID } from './judge.ts';
import type { ModelHistory } from './model-history.ts';
import type { Telling } from './record.ts';
import type { SlowRecord } from './slow-record.ts';

function labelOf({ entity, knownAt }: { readonly entity: string; readonly knownAt: number }): string {
  return `${entity} ${knownAt}`;
}

/** When each label came: a correction comes when its label did. */
function firstTold(tellings: readonly Telling[]): Map<string, number> {
  const since = new Map<string, number>();
  for (const telling of tellings) {
    if (telling.truth === null) since.delete(labelOf(telling));
    else if (!since.has(labelOf(telling))) since.set(labelOf(telling), telling.told);
  }
  return since;
}

/** What label_sources says, against the record. */
export async function differingLabelCounts({
  roles,
  model,
  record,
  settings,
}: ModelHistory<SlowRecord>): Promise<string[]> {
  const { rows } = await roles.superuser.query<Record<string, unknown>>(
    `select n_unmatched::int, n_before::int, n_too_old::int, late_share, n_invalid::int from pgscore.label_sources where model = $1`,
    [model.name],
  );
  const old = Math.max(record.sealedBefore, record.letGo?.before ?? Number.NEGATIVE_INFINITY);
  const isOrdered = ['latest_before_label', 'within'].includes(settings.pairing);
  const sealed = new Set(record.sealedPairs.map(labelOf));
  const judging = new Set(sealed);
  for (const each of record.live(settings, Date.now()))
    if (each.state === 'labeled') judging.add(labelOf({ entity: each.prediction.entity, knownAt: each.knownAt }));
  const truths = [...new Map(record.tellings.map((telling) => [labelOf(telling), telling])).values()].filter(
    ({ truth }) => truth !== null,
  );
  const idle = truths.filter((telling) => !judging.has(labelOf(telling)));
  // Those that judged sealed days may count as labels that judge nothing since.
  const most = truths.filter((telling) => sealed.has(labelOf(telling))).length;
  const since = firstTold(record.tellings);
  const known = new Set(record.predictions.map(({ entity }) => entity));
  const overruled = ({ entity, knownAt }: Telling): boolean =>
    record.predictions.some((each) => each.entity === entity && each.at <= knownAt);
  const late = truths.filter((telling) => (since.get(labelOf(telling)) ?? 0) > telling.knownAt + settings.labelDelay);
  const wanted: Record<string, number | null> = {
    n_unmatched: idle.filter(({ entity, knownAt }) => !known.has(entity) && !(knownAt < old)).length,
    n_before: isOrdered
      ? idle.filter((each) => known.has(each.entity) && !(each.knownAt < old) && !overruled(each)).length
      : 0,
    n_too_old: idle.filter(({ entity, knownAt }) => knownAt < old && (isOrdered || !known.has(entity))).length,
    n_invalid: idle.filter(({ truth }) => truth === INVALID).length,
    ...(record.sealedPairs.length > 0 ? {} : { late_share: truths.length === 0 ? null : late.length / truths.length }),
  };
  return Object.entries(wanted).flatMap(([name, value]) => {
    const found = rows[0]?.[name] as number | null;
    const isSame =
      found === null || value === null ? found === value : found >= value - 1e-9 && found <= value + most + 1e-9;
    return isSame ? [] : [`label_sources ${name}: ${found}, not ${value}`];
  });
}
