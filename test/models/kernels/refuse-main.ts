import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PgscoreError } from '../../../src/errors.ts';
import { refuseUnsafe } from '../../../src/onnx/refuse.ts';

/** Names, of the models in a folder, those that refuseUnsafe() lets pass. */
function passing(folder: string): string[] {
  return readdirSync(folder).filter((name) => {
    try {
      refuseUnsafe(readFileSync(join(folder, name)));
      return true;
    } catch (error) {
      if (error instanceof PgscoreError) return false;
      throw error;
    }
  });
}

const [folder = ''] = process.argv.slice(2);
process.stdout.write(passing(folder).join('\n'));
