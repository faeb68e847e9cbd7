import { ask, number, text, type Row } from './api.ts';
import { dataTable } from './data-table.ts';
import { count, day, decimal, NOTHING, percent } from './format.ts';
import { ofVersion, type ModelContext } from './model-context.ts';
import { panel, type Panel } from './panel.ts';

const AGES = ['1 day', '7 days', '30 days', '90 days', 'later'] as const;

/** Months side by side, each judged by labels that came as fast. */
export const labelAgePanel = (): Panel<ModelContext> =>
  panel<ModelContext, Row[]>({
    id: 'label-age',
    title: 'By age of label',
    about: 'a month that is young compares with others on the labels that come early',
    depends: ({ focus }) => focus,
    load: async (context) => ask('label-age', ofVersion(context)),
    draw: (sheet, rows, { task }) => {
      if (rows.every((row) => number(row, 'n_labeled') === 0)) return sheet.say('No labels yet.');
      const months = [...new Set(rows.map((row) => text(row, 'window_date')))];
      const cell = (month: string, age: string): string => {
        const row = rows.find((one) => one['window_date'] === month && one['label_age'] === age);
        if (row === undefined) return NOTHING;
        return task === 'regression' ? decimal(number(row, 'mae')) : percent(number(row, 'accuracy'));
      };
      const caption = `${task === 'regression' ? 'Mean absolute error' : 'Accuracy'} on the labels that were known within …`;
      const ever = (month: string): Row | undefined =>
        rows.find((one) => one['window_date'] === month && one['label_age'] === 'later');
      sheet.say(caption);
      sheet.add(
        dataTable({
          caption,
          columns: [
            'Month',
            ...[...AGES.map((age) => (age === 'later' ? 'ever' : age)), 'Labels', 'Known'].map((head) => ({
              head,
              number: true as const,
            })),
          ],
          rows: months.map((month) => [
            day(month, true),
            ...AGES.map((age) => cell(month, age)),
            count(number(ever(month), 'n_labeled')),
            percent(number(ever(month), 'label_coverage')),
          ]),
        }),
      );
    },
  });
