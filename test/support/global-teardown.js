export default async function tearDown() {
  const { endTestRun } = await import('./test-run.ts');
  await endTestRun();
}
