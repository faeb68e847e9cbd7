import { expect, test } from '@jest/globals';
import { Command, type Option } from 'commander';

import {
  flagsOf,
  jsonOption,
  namesOption,
  countOption,
  numberOption,
  runArgument,
  settingOption,
} from '../../src/commands/options.ts';
import { caught } from '../support/caught.ts';

test('a setting of config.ts is an option that says its variable and its default', () => {
  const option = settingOption('batchSeconds');
  expect(option.flags).toBe('--batch-timeout <seconds>');
  expect(option.description).toMatch(/PGSCORE_BATCH_TIMEOUT, else 60/);
});

test('the settings among the options reach config.ts by their names there', () => {
  const command = new Command().addOption(settingOption('batchSeconds')).addOption(settingOption('logPretty'));
  command.option('--other').parse(['--batch-timeout', '5', '--log-pretty', '--other'], { from: 'user' });
  expect(flagsOf(command)).toEqual({ batchSeconds: '5', logPretty: true });
});

test.each([
  ['a,b', ['a', 'b']],
  ['a, b ', ['a', 'b']],
  ['["a,b", "c"]', ['a,b', 'c']],
])('%s is the names %j', (text, names) => {
  expect(given(namesOption('--key <a,b>', ''), text)).toEqual(names);
});

function given({ parseArg }: Option, text: string): unknown {
  return parseArg?.<unknown>(text, undefined);
}

test.each([
  [() => given(namesOption('--key <a,b>', ''), '[1]'), '--key is not an array of names'],
  [() => given(namesOption('--key <a,b>', ''), '[a'), '--key is not JSON: [a'],
  [() => given(jsonOption('--column-map <json>', ''), '{a: b}'), '--column-map is not JSON: {a: b}'],
  [() => given(numberOption('--margin <n>', ''), 'many'), '--margin is "many"'],
  [() => given(countOption('--limit <n>', ''), '1.5'), '--limit is "1.5"'],
  [() => given(countOption('--limit <n>', ''), '-1'), '--limit is "-1"'],
  [() => given(numberOption('--limit <n>', ''), ''), '--limit is ""'],
  [() => runArgument('-1'), '"-1" is not the number of a run'],
])('what is wrong with an argument is named: %#', (parse, message) => {
  expect(caught(parse)).toMatchObject({ code: 'usage', message });
});
