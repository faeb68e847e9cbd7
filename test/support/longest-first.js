import Sequencer from '@jest/test-sequencer';

/** Files that take longest, by what they wait for and start rather than by their size, which Jest goes by where it does not know better. */
const LONG = [
  'models/whole-path',
  'faults/shutdown',
  'models/hostile',
  'score/many-sessions',
  'score/service-lost',
  'score/promotion',
  'faults/service-death',
  'faults/half-open',
  'faults/terminated-connections',
  'faults/server-restart',
  'bench/quick',
  'docs/statements',
  'commands/care',
  'commands/demo',
  'monitor/cells',
  'monitor/comparison-oracle',
  'monitor/counting/year',
  'monitor/counting/histories',
  'monitor/counting/ordinary-use',
  'page/page',
  'faults/refilled-source',
  'scorer/models',
  'monitor/segment-columns',
  'inference/trees/fastest-graph',
  'monitor/drift-noise',
  'online/gateway-lost',
  'server/start',
  'install/migrate',
  'commands/story',
  'to-sql/operators',
].map((name) => `/test/${name}.`);

/** In the order that Jest has chosen, but without having run them before the longest first: else one of them ends alone. */
export default class extends Sequencer {
  sort(tests) {
    const sorted = super.sort(tests);
    if (sorted.some(({ duration }) => duration !== undefined)) return sorted;
    const isLong = ({ path }) => LONG.some((name) => path.includes(name));
    return [...sorted.filter(isLong), ...sorted.filter((test) => !isLong(test))];
  }
}
