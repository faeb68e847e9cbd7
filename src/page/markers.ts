import type { Plugin } from './chart.ts';
import { colour } from './theme.ts';
import { breaksIn } from './breaks.ts';
import { span } from './format.ts';

export type Marker = { readonly at: number; readonly label: string };

/** Labels that stand closer than this, in pixels, go below one another; so many of them. */
const [CLOSE, LINE, MOST] = [70, 13, 4];

/** Draws a line where something was done to the model, such as a promotion. */
export function markersPlugin(markers: readonly Marker[]): Plugin {
  return {
    id: 'markers',
    afterDatasetsDraw: ({ ctx, chartArea, scales }) => {
      const axis = scales['x'];
      if (axis === undefined) return;
      ctx.save();
      ctx.strokeStyle = colour('quiet');
      ctx.fillStyle = colour('quiet');
      ctx.setLineDash([2, 4]);
      const inside = markers.filter((marker) => marker.at >= axis.min && marker.at <= axis.max);
      let [last, below] = [-CLOSE, 0];
      for (const { at, label } of inside.toSorted((one, other) => one.at - other.at)) {
        const x = axis.getPixelForValue(at);
        below = x - last < CLOSE ? below + LINE : 0;
        last = x;
        ctx.beginPath();
        ctx.moveTo(x, chartArea.top);
        ctx.lineTo(x, chartArea.bottom);
        ctx.stroke();
        ctx.textAlign = x > (chartArea.left + chartArea.right) / 2 ? 'right' : 'left';
        if (below < MOST * LINE)
          writeOver(ctx, label, x + (ctx.textAlign === 'right' ? -5 : 5), chartArea.top + 10 + below);
      }
      ctx.restore();
    },
  };
}

/** A text that is read in front of bars, too: the colour of the card is around its letters. */
function writeOver(ctx: CanvasRenderingContext2D, label: string, x: number, y: number): void {
  ctx.save();
  ctx.setLineDash([]);
  ctx.lineWidth = 4;
  ctx.lineJoin = 'round';
  ctx.strokeStyle = colour('card');
  ctx.strokeText(label, x, y);
  ctx.restore();
  ctx.fillText(label, x, y);
}

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
