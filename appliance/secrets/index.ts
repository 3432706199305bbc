/** Secrets at rest: the site key, passwords of people. */

export { Argon2Hasher } from './password-hasher.ts';
export { cameraPurpose, type OpenedPlan, openPlan, withoutCredentials } from './plan-secrets.ts';
export { type RandomBytes, type SecretBox, SiteKey } from './site-key.ts';
