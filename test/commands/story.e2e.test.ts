import { describe, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { runCli } from './run-cli.ts';

const database = await cloneDatabase();
const user = await database.client('alice');
const ada = { url: database.url('ada') };
const alice = { url: database.url('alice') };
const MODEL = 'test/models/iris_multiclass.onnx';
const REJECTED = 'test/models/hostile/no_feature_names.onnx';
const EXPECTED = 'test/models/iris_multiclass.csv.gz';

const FLOWERS = `create table flowers as
  select i as id, 5.1::real as sepal_length, 3.5::real as sepal_width, 1.4::real as petal_length, 0.2::real as petal_width
    from generate_series(1, 1000) i`;

const json = async (args: string[], options = alice) => JSON.parse((await runCli([...args, '--json'], options)).stdout);

const early = await runCli(['deploy', MODEL, '--model', 'early', '--no-wait'], ada);
await startTestService(database);

test('a deploy that is not waited for is stored, though no service runs', () => {
  expect(early.stdout).toBe('early@1 is being checked: pgscore models early@1\n');
});

describe('with a service', () => {
  test('a model is deployed, checked against its training framework, and described', async () => {
    const { exit, stdout, stderr } = await runCli(['deploy', MODEL, '--model', 'iris', '--expect', EXPECTED], ada);
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: 'Checking iris@1 …\n' });
    expect(stdout).toMatch(/^version +iris@1\naliases +champion\nstate +ready\n/);
  });

  test('a second version is pointed at by an alias, promoted, and rolled back', async () => {
    const version = { version: 'iris@2', aliases: ['challenger'], deployed_by: 'ada', size_bytes: expect.any(Number) };
    expect(await json(['deploy', MODEL, '--model', 'iris', '--alias', 'challenger'], ada)).toMatchObject(version);
    expect(await json(['models', 'iris@2'], ada)).toMatchObject(version);
    expect(await json(['promote', 'iris@challenger'], ada)).toEqual({ version: 'iris@2' });
    expect(await json(['rollback', 'iris'], ada)).toEqual({ version: 'iris@1' });
    expect(await json(['alias', 'iris@1', 'safe'], ada)).toEqual({ version: 'iris@1' });
    const models: { model: string; version: number; aliases: string[] }[] = await json(['models']);
    expect(models.filter(({ model }) => model === 'iris').map(({ aliases }) => aliases)).toEqual([
      ['champion', 'safe'],
      ['challenger'],
    ]);
  });

  test('gates are set, checked, listed and dropped, and a version that does not pass is promoted by force only', async () => {
    const set = [
      'gates',
      'set',
      'iris',
      'not_worse',
      '--metric',
      'accuracy',
      '--margin',
      '0.01',
      '--minimum-labels',
      '50',
    ];
    expect(await json(set, ada)).toEqual({ model: 'iris', gate: 'not_worse_accuracy' });
    const gate = { model: 'iris', gate: 'not_worse_accuracy', kind: 'not_worse', margin: 0.01, minimum_labels: 50 };
    expect(await json(['gates', 'list', 'iris'])).toMatchObject([gate]);
    const checked = await runCli(['gates', 'check', 'iris@2'], ada);
    expect(checked.stdout).toMatch(
      /^ *not_worse_accuracy \| false .*labels that judge both versions \| it is not compared with iris@1 yet$/m,
    );
    expect(checked).toMatchObject({ exit: 1, stderr: expect.stringContaining('[gates_not_passed]') });
    expect(checked.stderr).toContain(`pgscore promote iris@2 --force --reason '…'`);
    const refused = await runCli(['promote', 'iris@2'], ada);
    expect(refused).toMatchObject({ exit: 1, stderr: expect.stringContaining('not_worse_accuracy') });
    const forced = ['promote', 'iris@2', '--force', '--reason', 'a demonstration'];
    expect(await json(forced, ada)).toEqual({ version: 'iris@2' });
    expect(await json(['rollback', 'iris'], ada)).toEqual({ version: 'iris@1' });
    expect((await runCli(['gates', 'drop', 'iris', 'not_worse_accuracy'], ada)).stdout).toBe(
      'iris no longer has the gate not_worse_accuracy.\n',
    );
    expect((await runCli(['gates', 'list'], ada)).stdout).toBe('No gates yet: pgscore gates set MODEL KIND\n');
  });

  test('an experiment is started, grows, is listed and stopped', async () => {
    expect((await runCli(['experiment', 'list'], ada)).stdout).toBe(
      'No experiments yet: pgscore experiment start MODEL canary VERSION=PERCENT --split-by COLUMN\n',
    );
    const start = ['experiment', 'start', 'iris', 'canary', 'iris@2=10', '--split-by', 'id'];
    expect(await json(start, ada)).toEqual({ model: 'iris', experiment: 1 });
    expect(await json(['experiment', 'set', 'iris', 'iris@2=25'], ada)).toEqual({
      model: 'iris',
      arms: { 'iris@2': 25 },
    });
    const running = { model: 'iris', kind: 'canary', is_running: true, champion: 'iris@1', arms: { 'iris@2': 25 } };
    expect(await json(['experiment', 'list', 'iris'])).toMatchObject([
      { ...running, split_by: ['id'], salt: 'iris/1' },
    ]);
    expect((await runCli(['experiment', 'list'], alice)).stdout).toContain('{"iris@2":25}');
    expect(await runCli(['experiment', 'set', 'iris', 'iris@2'], ada)).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('Write a version and its percent: churn@4=10.'),
    });
    const results = await json(['experiment', 'results', 'iris'], { url: database.url() });
    expect(results).toContainEqual(
      expect.objectContaining({ model_version: 2, metric: 'accuracy', n: 0, verdict: 'too_early' }),
    );
    const stopped = await runCli(['experiment', 'stop', 'iris'], ada);
    expect(stopped.stdout).toBe('The experiment has stopped; iris@1 answers.\n');
  });

  test('an experiment ends with a promotion, which a gate refuses unless it is forced; the audit says why', async () => {
    const gate = ['gates', 'set', 'iris', 'not_worse', '--metric', 'accuracy', '--margin', '0.01'];
    await runCli(gate, ada);
    await runCli(['experiment', 'start', 'iris', 'canary', 'iris@2=10', '--split-by', 'id'], ada);
    const stop = ['experiment', 'stop', 'iris', '--promote', 'iris@2'];
    const refused = await runCli(stop, ada);
    expect(refused).toMatchObject({ exit: 1, stderr: expect.stringContaining('not_worse_accuracy') });
    expect(await json(['experiment', 'list', 'iris'])).toContainEqual(expect.objectContaining({ is_running: true }));
    expect(await runCli([...stop, '--force'], ada)).toMatchObject({
      exit: 1,
      stderr: expect.stringContaining('a promotion that is forced needs a reason'),
    });
    expect(await runCli(['experiment', 'stop', 'iris', '--force', '--reason', 'no arm'], ada)).toMatchObject({
      exit: 1,
      stderr: expect.stringContaining('force and reason are about a promotion'),
    });
    const champion = { model: 'iris', champion: 'iris@2' };
    expect(await json([...stop, '--force', '--reason', 'the old sensor is gone'], ada)).toEqual(champion);
    const [promoted] = await json(['audit', 'iris', '--limit', '1'], ada);
    expect(promoted).toMatchObject({
      actor: 'ada',
      action: 'promote',
      model: 'iris',
      version: 2,
      detail: {
        force: true,
        reason: 'the old sensor is gone',
        failed: [expect.stringMatching(/^not_worse_accuracy: .*\(needs /)],
      },
    });
    expect((await runCli(['audit'], ada)).stdout).toContain('the old sensor is gone');
    expect(await runCli(['audit'], alice)).toMatchObject({ exit: 1, stderr: expect.stringContaining('audit') });
    await runCli(['gates', 'drop', 'iris', 'not_worse_accuracy'], ada);
    await runCli(['rollback', 'iris'], ada);
  });

  test.each([['gates', 'list'], ['experiment', 'list'], ['experiment', 'results'], ['alerts'], ['replay']])(
    'a model that is not there is no empty list: %s %s',
    async (...command) => {
      const { exit, stdout, stderr } = await runCli([...command, 'irish', '--json'], { url: database.url() });
      expect({ exit, stdout, ...JSON.parse(stderr).error }).toMatchObject({
        exit: 1,
        stdout: '',
        message: 'model "irish" does not exist',
        remedy: 'Deployed models: early, iris.',
      });
    },
  );

  test('a model that is rejected ends with status 65, the reason and the remedy', async () => {
    const { exit, stdout, stderr } = await runCli(['deploy', REJECTED, '--model', 'iris'], ada);
    expect({ exit, stdout }).toEqual({ exit: 65, stdout: '' });
    expect(stderr).toMatch(
      /pgscore: iris@3 was rejected: .+--features a,b,c.+\n {2}\[model_feature_names_missing\]\n$/s,
    );
  });

  test('who may not deploy is told what is missing', async () => {
    const { exit, stderr } = await runCli(['deploy', MODEL, '--model', 'iris'], alice);
    expect(exit).toBe(1);
    expect(stderr).toContain('grant pgscore_deployer to ROLE;');
  });

  test('a table is scored, and the run can be looked at', async () => {
    await user.query(FLOWERS);
    const { exit, stdout } = await runCli(['score', 'iris', 'flowers', '--key', 'id', '--target', 'species'], alice);
    expect(exit).toBe(0);
    expect(stdout).toMatch(/rows done +1000\nrows failed +0\n/);
    const [run] = await json(['runs']);
    expect(run).toMatchObject({ state: 'done', rows_done: 1000, target: 'alice.species' });
    expect(await json(['runs', String(run.run)])).toMatchObject({ run: run.run, model: 'iris@1' });
    expect(await json(['runs', String(run.run), '--errors'])).toEqual([]);
    expect(await json(['cancel', String(run.run)])).toEqual({ run: run.run, cancelling: false });
  });

  test('a table is replayed, and the run can be followed or left', async () => {
    await user.query(`alter table flowers add at timestamptz default '2026-01-01'`);
    await user.query(`update flowers set at = at + id * interval '1 minute'`);
    const replay = [
      'replay',
      'iris@2',
      '--source',
      'flowers',
      '--key',
      'id',
      '--event-time',
      'at',
      '--to',
      '2026-01-01 10:00',
    ];
    const { exit, stdout } = await runCli([...replay, '--target', 'again'], alice);
    expect(exit).toBe(0);
    expect(stdout).toMatch(/history +alice\.again_history\nrows done +599\nrows failed +0\n/);
    const [, run] = /replay_run = (\d+);$/m.exec(stdout) ?? [];
    expect(await json(['runs', String(run)])).toMatchObject({ model: 'iris@2', state: 'done', published: false });
    const done = await json([...replay, '--target', 'again', '--from', '2026-01-01 09:00']);
    expect(done).toMatchObject({ model: 'iris@2', state: 'done', rows_done: 60, target: 'alice.again' });
    expect(await json([...replay, '--no-wait'])).toEqual({ run: done.run + 1, state: 'queued' });
    expect(await runCli(['replay', 'iris', '--source', 'flowers', '--json'], alice)).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('--source needs --event-time'),
    });
    const calls = await runCli(['replay', 'iris', '--json'], alice);
    expect(calls).toMatchObject({
      exit: 1,
      stdout: '',
      stderr: expect.stringContaining('no call of \\"iris\\" was kept'),
    });
  });

  test('a schedule is added, paused, resumed, run and dropped', async () => {
    const added = ['schedule', 'add', 'nightly', '0 2 * * *', 'iris', 'flowers', '--key', 'id', '--target', 'species'];
    expect((await runCli(added, alice)).stdout).toBe(
      'Schedule "nightly" is set: pgscore schedule list shows when it fires next, once a service has planned it.\n',
    );
    await json(['schedule', 'drop', 'nightly']);
    expect(await json(added)).toEqual({ name: 'nightly' });
    await json(['schedule', 'pause', 'nightly']);
    expect(await json(['schedule', 'list'])).toMatchObject([{ name: 'nightly', state: 'paused' }]);
    await json(['schedule', 'resume', 'nightly']);
    expect(await json(['schedule', 'run', 'nightly'])).toEqual({ name: 'nightly', run: expect.any(Number) });
    expect(await json(['schedule', 'history', 'nightly'])).toMatchObject([{ name: 'nightly', outcome: 'submitted' }]);
    await json(['schedule', 'drop', 'nightly']);
    expect(await json(['schedule', 'list'])).toEqual([]);
  });

  test('a source is watched, paused, resumed and no longer watched', async () => {
    await user.query('alter table flowers add primary key (id)');
    const watched = ['watch', 'iris', 'flowers', '--target', 'live'];
    const followed = async () => {
      const following = `select from pgscore.watches where state = 'following'`;
      await waitFor(async () => (await user.query(following)).rowCount === 1, { message: 'the watch to follow' });
      const [watch] = await json(['watches']);
      return watch;
    };
    expect(await json(watched)).toEqual({ model: 'iris', source: 'flowers', capture: 'triggers' });
    expect(await followed()).toMatchObject({
      target: 'alice.live',
      pending: 0,
      rows_scored: 1000,
      poll_every: '00:00:30',
    });
    await json([...watched, '--on-promote', 'keep', '--keep-history', '90 days', '--notify', 'flowers_scored']);
    expect(await followed()).toMatchObject({ on_promote: 'keep', keep_history: '90 days', notify: 'flowers_scored' });
    await json(['pause-watch', 'live']);
    expect((await runCli(['watches'], alice)).stdout).toMatch(
      / iris +\| alice\.flowers +\| alice\.live +\| triggers \| paused /,
    );
    await json(['resume-watch', 'alice.live']);
    expect(await followed()).toMatchObject({ error: null });
    expect(await json(['unwatch', 'live'])).toEqual({ target: 'live' });
    expect(await json(['watches'])).toEqual([]);
  });

  test('a view is watched by the tables below it, or polled', async () => {
    const view = 'create view bouquets as select id, sepal_length, sepal_width, petal_length, petal_width from flowers';
    await user.query(view);
    const watched = ['watch', 'iris@1', 'bouquets', '--key', 'id'];
    const tables = JSON.stringify({ flowers: 'id' });
    expect(await json([...watched, '--on-change-of', tables])).toMatchObject({ capture: 'triggers' });
    expect(await json([...watched, '--poll-every', '1 min'])).toMatchObject({ capture: 'poll' });
    expect(await json(['watches'])).toMatchObject([
      { model: 'iris@1', target: 'alice.bouquets_scores', capture: 'poll', poll_every: '00:01:00' },
    ]);
    await json(['unwatch', 'bouquets_scores']);
    const unknown = await runCli(['unwatch', 'bouquets_scores'], alice);
    expect(unknown.stderr).toMatch(
      /target "bouquets_scores" is not watched, or not by you\n.*\n {2}\[statement_failed, SQLSTATE 42704\]/,
    );
  });
});
