import type { Output } from './output.ts';

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const FRAME_MS = 100;
const CLEAR_LINE = '\r\u001b[2K';

/** Says that something goes on, until the function that it returns is called: in motion on a terminal, as one line elsewhere. */
export function spin(output: Output, text: string): () => void {
  if (!output.terminal) {
    output.note(`${text} …`);
    return () => undefined;
  }
  const began = performance.now();
  let frame = 0;
  const draw = (): void => {
    const seconds = Math.floor((performance.now() - began) / 1000);
    output.draw(`${CLEAR_LINE}${FRAMES[frame++ % FRAMES.length]} ${text} (${seconds} s)`);
  };
  const timer = setInterval(draw, FRAME_MS);
  draw();
  return () => {
    clearInterval(timer);
    output.draw(CLEAR_LINE);
  };
}
