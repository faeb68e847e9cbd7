import { PgscoreError } from '../errors.ts';

/** Every option of a function, and which of them it cannot do without. */
export type OptionNames<Options> = {
  readonly [Name in keyof Options]-?: undefined extends Options[Name] ? 'optional' : 'required';
};

/** Programs in plain JavaScript have no compiler that finds a name of an option that is spelled wrong, or left out. */
export function checkOptions<Options extends object>(
  name: string,
  names: OptionNames<Options>,
  options: Options | undefined,
): void {
  const given = new Map<string, unknown>(Object.entries(options ?? {}));
  const known = Object.keys(names);
  const unknown = [...given.keys()].find((option) => !known.includes(option));
  const missing = known.find((option) => names[option as keyof Options] === 'required' && given.get(option) == null);
  const remedy = `The options of ${name}(): ${known.join(', ')}.`;
  if (unknown !== undefined) throw new PgscoreError('usage', `${name}() has no option "${unknown}"`, { remedy });
  if (missing === undefined) return;
  throw new PgscoreError('usage', `${name}() needs the option "${missing}"`, {
    remedy: `Pass { ${missing}: … }. ${remedy}`,
  });
}
