import { type Judged, judgeAll } from './judge.ts';
import { type Grain, GRAINS } from './local-windows.ts';
import type { Prediction, RawRecord, Settings, Telling } from './record.ts';
import { type Counted, countJudged } from './reference.ts';

/** What keeps a raw record and can say what it comes to. */
export type RecordKeeper = {
  add(prediction: Prediction): void;
  tell(telling: Telling): void;
  count(settings: Settings, now: number): Map<Grain, Counted[]>;
};

type SealedPair = { readonly entity: string; readonly knownAt: number; readonly run?: string | undefined };

const labelOf = ({ entity, knownAt }: { entity: string; knownAt: number }): string => `${entity} ${knownAt}`;
const pairOf = ({ prediction, knownAt }: Extract<Judged, { state: 'labeled' }>): string =>
  `${prediction.version} ${prediction.entity} ${prediction.at} ${knownAt}`;

/** A raw record that is counted by the reference. */
export class SlowRecord implements RecordKeeper, RawRecord {
  predictions: Prediction[] = [];
  tellings: Telling[] = [];
  letGo: RawRecord['letGo'];
  /** What nothing changes any more. */
  readonly settled: Judged[] = [];
  sealedPairs: SealedPair[] = [];
  isForgetting = false;
  sealedBefore = Number.NEGATIVE_INFINITY;
  /** Labels that judged sealed days alone. */
  readonly #dead = new Set<string>();

  add(prediction: Prediction): void {
    if (prediction.at < this.sealedBefore) this.settled.push({ prediction, state: 'superseded' });
    else this.predictions.push(prediction);
  }

  tell(telling: Telling): void {
    this.tellings.push(telling);
  }

  judged(settings: Settings, now: number): Judged[] {
    return [...this.settled, ...this.live(settings, now)];
  }

  live(settings: Settings, now: number): Judged[] {
    const { predictions, letGo } = this;
    return judgeAll({ predictions, tellings: this.told(), letGo }, settings, now);
  }

  told(): Telling[] {
    return this.tellings.filter((telling) => !this.#dead.has(labelOf(telling)));
  }

  count(settings: Settings, now: number): Map<Grain, Counted[]> {
    const judged = this.judged(settings, now);
    return new Map(GRAINS.map((grain) => [grain, countJudged(judged, settings, grain)]));
  }

  /** After a refresh: a label of sealed days that is withdrawn judges nothing else again. */
  refreshed(settings: Settings, now: number): void {
    const last = new Map(this.tellings.map((telling) => [labelOf(telling), telling]));
    for (const pair of this.sealedPairs) if (last.get(labelOf(pair))?.truth === null) this.#dead.add(labelOf(pair));
    if (this.letGo !== undefined)
      this.letGo = { ...this.letGo, pairs: new Set(labeledOf(this.live(settings, now)).map(pairOf)) };
  }

  seal(before: number, settings: Settings, now: number): void {
    const live = this.live(settings, now);
    const gone = live.filter(({ prediction }) => prediction.at < before);
    const stays = new Set(
      labeledOf(live.filter(({ prediction }) => prediction.at >= before))
        .map(toPair)
        .map(labelOf),
    );
    for (const each of labeledOf(gone)) {
      this.sealedPairs.push(toPair(each));
      if (!stays.has(labelOf(toPair(each)))) this.#dead.add(labelOf(toPair(each)));
    }
    this.settled.push(...gone);
    this.predictions = this.predictions.filter(({ at }) => at >= before);
    this.sealedBefore = before;
  }

  /** Superseded predictions that were let go. */
  release(before: number, settings: Settings, now: number): void {
    const live = this.live(settings, now);
    const labeled = new Set(
      labeledOf(live).map(({ prediction: { version, entity, at } }) => `${version} ${entity} ${at}`),
    );
    const isGone = ({ version, entity, at }: Prediction): boolean =>
      !labeled.has(`${version} ${entity} ${at}`) &&
      this.predictions.some(
        (other) => other.version === version && other.entity === entity && other.at > at && other.at < before,
      );
    const gone = live.filter(({ prediction }) => isGone(prediction));
    if (gone.length > 0) {
      this.settled.push(...gone);
      this.predictions = this.predictions.filter((prediction) => !gone.some((each) => each.prediction === prediction));
    }
    this.letGo = { before, pairs: new Set(labeledOf(live).map(pairOf)) };
  }

  /** Those that are not kept, as they repeated others, are counted on. */
  forget(
    isTaken: (of: { entity: string; run?: string | undefined }) => boolean,
    isKept: (prediction: Prediction) => boolean,
  ): void {
    this.isForgetting = true;
    const taken = this.predictions.filter(isTaken);
    this.predictions = this.predictions.filter((prediction) => !isTaken(prediction));
    for (const prediction of taken) if (!isKept(prediction)) this.settled.push({ prediction, state: 'superseded' });
    const lost = this.sealedPairs.filter(isTaken).map(labelOf);
    this.sealedPairs = this.sealedPairs.filter((pair) => !isTaken(pair));
    const stays = new Set(this.sealedPairs.map(labelOf));
    for (const label of lost) {
      if (stays.has(label) || !this.#dead.delete(label)) continue;
      this.tellings = this.tellings.filter((telling) => labelOf(telling) !== label);
    }
  }

  unset(): void {
    this.tellings = [];
    this.sealedPairs = [];
    this.#dead.clear();
  }
}

function labeledOf(judged: readonly Judged[]): Extract<Judged, { state: 'labeled' }>[] {
  return judged.filter((each) => each.state === 'labeled');
}

function toPair({ prediction, knownAt }: Extract<Judged, { state: 'labeled' }>): SealedPair {
  return { entity: prediction.entity, knownAt, run: prediction.run };
}
