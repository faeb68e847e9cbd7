import { breaksIn } from './breaks.ts';
import type { Plugin } from './chart.ts';
import { span } from './format.ts';
import { colour } from './theme.ts';

/** Says at each break of the time axis that there is one, and how long it is. */
export function breakMarks(times: readonly number[]): Plugin {
  return {
    id: 'breaks',
    afterDatasetsDraw: ({ ctx, chartArea, scales }) => {
      const axis = scales['x'];
      if (axis === undefined) return;
      ctx.save();
      ctx.fillStyle = colour('quiet');
      ctx.textAlign = 'center';
      ctx.textBaseline = 'middle';
      for (const { from, to } of breaksIn(times)) {
        ctx.save();
        ctx.translate(axis.getPixelForValue((from + to) / 2), (chartArea.top + chartArea.bottom) / 2);
        ctx.rotate(-Math.PI / 2);
        ctx.fillText(`nothing for ${span((to - from) / 1000)}`, 0, 0);
        ctx.restore();
      }
      ctx.restore();
    },
  };
}
