/** The catalog's door: `serve` writes it, nobody else opens it for writing. */

export { type Actor, type AuditEntry, type AuditNote, auditRowsMax } from './audit.ts';
export {
  type Camera,
  type CameraSettings,
  type CatalogSource,
  type CatalogStream,
  camerasMax,
  type SealedCredentials,
} from './cameras.ts';
export { Catalog } from './catalog.ts';
export { PlanFile, planOf } from './plan.ts';
export type { Policy } from './policies.ts';
export type { PolicyStatement } from './schema.ts';
export type { Session } from './sessions.ts';
export type { Token } from './tokens.ts';
export type { User } from './users.ts';
