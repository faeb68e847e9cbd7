import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PgscoreError } from '../../../src/errors.ts';
import { gate } from '../../../src/onnx/gate.ts';

/** Names, of the models in a folder, those that the gate lets in. */
function passing(folder: string): string[] {
  return readdirSync(folder).filter((name) => {
    try {
      gate(readFileSync(join(folder, name)));
      return true;
    } catch (error) {
      if (error instanceof PgscoreError) return false;
      throw error;
    }
  });
}

const [folder = ''] = process.argv.slice(2);
process.stdout.write(passing(folder).join('\n'));
