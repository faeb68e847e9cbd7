import { ask, text, type Row } from './api.ts';
import { el } from './dom.ts';
import { panel, type Panel } from './panel.ts';
import { furtherCauses, verdictChip } from './verdict.ts';

/** Whether a model needs somebody, and why. Not shown of a model that is not there. */
export const verdictPanel = (model: string): Panel<undefined> =>
  panel<undefined, Row>({
    id: 'verdict',
    title: 'Verdict',
    depends: () => null,
    load: async () => (await ask('verdicts')).find((row) => row['model_name'] === model),
    draw: (sheet, row) => {
      sheet.add(el('p', {}, verdictChip(text(row, 'verdict')), ` ${text(row, 'sentence')}`));
      const more = furtherCauses(row);
      if (more.length > 0) sheet.say(`${more.map(([name, value]) => `${name}: ${value}`).join(' · ')}.`);
    },
  });
