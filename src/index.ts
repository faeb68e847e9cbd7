/** What a program may build on; everything else is inside. */
export { serviceConfig, type ServiceConfig } from './config.ts';
export { startEmbedded, type EmbeddedOptions } from './embedded/start.ts';
export type { EmbeddedServer } from './embedded/server.ts';
export { ERRORS, PgscoreError, type ErrorCode } from './errors.ts';
export { migrate, type MigrateOptions } from './install/migrate.ts';
export { createLogger } from './log.ts';
export type { Service } from './supervisor/running-service.ts';
export { startService } from './supervisor/service.ts';
export { VERSION } from './version.ts';
