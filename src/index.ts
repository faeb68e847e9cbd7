/** What a program may build on; everything else is inside. */
export type { Connection } from './client/connection.ts';
export { bucket, type KeyPart } from './lib/bucket.ts';
export { deploy, waitForVersion, type DeployOptions, type Version } from './client/deploy.ts';
export { replay, type ReplayOptions } from './client/replay.ts';
export {
  scoreTable,
  waitForRun,
  type Run,
  type ScoreTableOptions,
  type SourceOptions,
  type WaitForRunOptions,
} from './client/runs.ts';
export { score, type FeatureRow, type Prediction } from './client/score.ts';
export type { WaitOptions } from './client/wait.ts';
export { serviceConfig, type ServiceConfig } from './config.ts';
export { startEmbedded, type EmbeddedOptions } from './server/start.ts';
export type { EmbeddedServer } from './server/start.ts';
export { ERRORS, PgscoreError, type ErrorCode } from './errors.ts';
export { migrate, type MigrateOptions } from './install/migrate.ts';
export { createLogger } from './log.ts';
export type { Service } from './service/running-service.ts';
export { startService } from './service/service.ts';
export { VERSION } from './version.ts';
