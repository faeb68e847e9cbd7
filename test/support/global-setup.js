import './register-typescript.js';

export default async function setUp() {
  const { startTestRun } = await import('./test-run.ts');
  await startTestRun();
}
