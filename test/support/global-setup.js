import './register-typescript.js';

export default async function setUp() {
  const { startTestRun } = await import('./test-run.ts');
  await startTestRun().catch((error) => {
    // Jest prints messages alone.
    throw error.remedy === undefined ? error : new Error(`${error.message}: ${error.remedy}`, { cause: error });
  });
}
