import { type Grain, GRAINS } from './local-windows.ts';
import type { Prediction, RawRecord, Settings, Telling } from './record.ts';
import { type Counted, count } from './reference.ts';

/** What keeps a raw record and can say what it comes to. */
export type RecordKeeper = {
  add(prediction: Prediction): void;
  tell(telling: Telling): void;
  count(settings: Settings, now: number): Map<Grain, Counted[]>;
};

/** A raw record that is counted by the reference. */
export class SlowRecord implements RecordKeeper, RawRecord {
  readonly predictions: Prediction[] = [];
  readonly tellings: Telling[] = [];

  add(prediction: Prediction): void {
    this.predictions.push(prediction);
  }

  tell(telling: Telling): void {
    this.tellings.push(telling);
  }

  count(settings: Settings, now: number): Map<Grain, Counted[]> {
    return new Map(GRAINS.map((grain) => [grain, count(this, settings, grain, now)]));
  }
}
