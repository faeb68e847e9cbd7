/** What a program may build on; everything else is inside. */
export { serviceConfig, type ServiceConfig } from './config.ts';
export { startEmbedded, type EmbeddedOptions } from './server/start.ts';
export type { EmbeddedServer } from './server/start.ts';
export { ERRORS, PgscoreError, type ErrorCode } from './errors.ts';
export { migrate, type MigrateOptions } from './install/migrate.ts';
export { createLogger } from './log.ts';
export type { Service } from './service/running-service.ts';
export { startService } from './service/service.ts';
export { VERSION } from './version.ts';
