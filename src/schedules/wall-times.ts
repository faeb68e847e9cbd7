import { CronExpressionParser, type CronExpression } from 'cron-parser';
import { PgscoreError } from '../errors.ts';

const SHORTHAND = /^@(yearly|annually|monthly|weekly|daily|hourly)$/;

/**
 * The readings of a clock at which a cron expression fires, in milliseconds as if they were UTC.
 *
 * cron-parser 5.10 is right about a clock without changes and wrong about others: it fires 02:30 an hour late in spring,
 * `0 2 * * *` not at all in Lord Howe's gap of half an hour, and drops a half hour of a quarter-hourly expression there.
 * So it is asked in UTC only, and LocalClock places its answers.
 */
export class WallTimes {
  readonly #cron: string;
  readonly #expression: CronExpression;
  /** Whether every hour of the day has a fire; such an expression counts elapsed time. */
  readonly everyHour: boolean;

  /** @throws PgscoreError `schedule_cron_invalid`. */
  constructor(cron: string) {
    this.#cron = cron;
    this.#expression = parsed(cron);
    this.everyHour = this.#expression.fields.hour.values.length === 24;
  }

  /** The first one after `reading`. */
  after(reading: number): number {
    return this.#ask(reading, () => this.#expression.next());
  }

  /** The last one that is not after `reading`. */
  upTo(reading: number): number {
    return this.#ask(reading + 1, () => this.#expression.prev());
  }

  #ask(reading: number, step: () => { getTime(): number }): number {
    this.#expression.reset(new Date(reading));
    try {
      return step().getTime();
    } catch (error) {
      throw invalid(this.#cron, 'it never fires', error);
    }
  }
}

function parsed(cron: string): CronExpression {
  const text = cron.trim();
  // H would be another minute each time it is asked for.
  const malformed = /H/.test(text) || text.split(/\s+/).length !== 5;
  if (malformed && !SHORTHAND.test(text)) throw invalid(cron, 'it is not five fields');
  try {
    return CronExpressionParser.parse(text, { tz: 'UTC' });
  } catch (error) {
    throw invalid(cron, error instanceof Error ? error.message : String(error), error);
  }
}

function invalid(cron: string, reason: string, cause?: unknown): PgscoreError {
  return new PgscoreError('schedule_cron_invalid', `cron expression "${cron}" cannot be used: ${reason}`, {
    remedy:
      'Write minute hour day-of-month month day-of-week, such as 0 2 * * *, or @hourly, @daily, @weekly, @monthly, @yearly.',
    cause,
  });
}
