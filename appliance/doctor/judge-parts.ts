/** Judges certificates, databases and the object store. Facts in, verdicts out. */

import { isIP } from 'node:net';
import type { ErrorCode } from '../../storage/base/errors.ts';
import { type Finding, verdictsOf } from './finding.ts';
import { iso } from './judge-clock.ts';

const dayMs = 86_400_000;
const expiryWarningMs = 21 * dayMs;

export type CertificateFacts = {
  readonly path: string;
  readonly nowMs: number;
  /** Why it cannot be read; undefined when it could. */
  readonly error: string | undefined;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly names: readonly string[];
  /** Names that people were told to use: of `publicUrl`. */
  readonly namesWanted: readonly string[];
  readonly isKeyMatching: boolean;
  /** Made by Weir, which renews it. */
  readonly isOwn: boolean;
};

export function judgeCertificate(facts: CertificateFacts): Finding[] {
  const { nowMs, notAfterMs, notBeforeMs, names } = facts;
  const verdicts = verdictsOf('certificate', facts.path);
  const renew = facts.isOwn
    ? 'Weir renews it by itself while it runs: is its clock right, and may it write to its tls directory?'
    : 'put a renewed file in its place (tls.certificateFile): it is taken within a minute';
  if (facts.error !== undefined) {
    return verdicts.fault(
      'certificate-wrong',
      `cannot be used: ${facts.error}`,
      'see tls.certificateFile and tls.keyFile',
    );
  }
  if (!facts.isKeyMatching) {
    return verdicts.fault(
      'certificate-wrong',
      'is not of the key beside it',
      'put both files of one pair in place (tls.certificateFile, tls.keyFile)',
    );
  }
  if (notAfterMs <= nowMs) return verdicts.fault('certificate-expiring', `ended on ${iso(notAfterMs)}`, renew);
  if (notBeforeMs > nowMs) {
    const next = 'is the clock of this machine right? Else bring a certificate that is valid already';
    return verdicts.fault('certificate-wrong', `begins on ${iso(notBeforeMs)} only`, next);
  }
  const missing = facts.namesWanted.filter((wanted) => !names.some((name) => isCovered(wanted, name)));
  if (missing.length > 0) {
    const next = facts.isOwn ? 'name them by tls.names' : 'have it issued for these names too';
    return verdicts.warning('certificate-wrong', `does not name ${missing.join(', ')}, but ${names.join(', ')}`, next);
  }
  if (notAfterMs - nowMs < expiryWarningMs)
    return verdicts.warning('certificate-expiring', `ends on ${iso(notAfterMs)}`, renew);
  return verdicts.ok(`valid until ${iso(notAfterMs)}, for ${names.slice(0, 4).join(', ')}`);
}

export type DatabaseFacts = {
  readonly name: 'catalog' | 'index';
  readonly path: string;
  readonly isThere: boolean;
  /** Why it does not open; undefined when it does. */
  readonly error: string | undefined;
  /** What `quick_check` found; 'ok' when nothing, undefined when it was not finished in time. */
  readonly check: string | undefined;
  readonly version: number;
  readonly byteLength: number;
};

export function judgeDatabase(facts: DatabaseFacts): Finding[] {
  const verdicts = verdictsOf('database', facts.path);
  const isIndex = facts.name === 'index';
  const next = isIndex
    ? 'stop Weir and run weir rebuild-index: it is made anew from the files'
    : 'restore it from a backup or from a copy beside it (catalog.sqlite.v<n>); recording goes on meanwhile';
  if (!facts.isThere) return verdicts.unchecked('is made at the first start');
  if (facts.error !== undefined) return verdicts.fault('database-damaged', `does not open: ${facts.error}`, next);
  if (facts.check !== undefined && facts.check !== 'ok')
    return verdicts.fault('database-damaged', `is damaged: ${facts.check}`, next);
  const size = `${(facts.byteLength / 1e6).toFixed(1)} MB, schema ${facts.version}`;
  return facts.check === undefined
    ? verdicts.unchecked(`opens (${size}); too large to be read through in this time: weir check does it`)
    : verdicts.ok(`whole (${size})`);
}

export type StoreFacts = {
  /** Where, in a person's words: 's3 https://minio:9000/weir'. */
  readonly name: string;
  /** False: nothing was ever stored, it is made at the first start. */
  readonly isMade: boolean;
  /** What it was about to do when it failed. */
  readonly failed:
    | {
        readonly step: 'reach' | 'put' | 'get' | 'delete';
        readonly code: ErrorCode;
        readonly message: string;
        readonly hint?: string | undefined;
      }
    | undefined;
  readonly durationMs: number;
};

export function judgeStore({ name, isMade, failed, durationMs }: StoreFacts): Finding[] {
  const verdicts = verdictsOf('store', name);
  if (!isMade) return verdicts.unchecked('is made at the first start');
  if (failed === undefined)
    return verdicts.ok(`an object was put, read back and deleted within ${Math.round(durationMs)} ms`);
  const verbs = {
    reach: 'cannot be reached',
    put: 'takes no object',
    get: 'does not give an object back',
    delete: 'deletes no object',
  };
  const keys =
    failed.code === 'permission_denied'
      ? 'check access key, secret key and what they may do with the bucket'
      : undefined;
  return verdicts.fault(
    failed.code === 'resource_exhausted' ? 'store-disk-filling' : 'store-away',
    `${verbs[failed.step]}: ${failed.message}`,
    failed.hint ??
      keys ??
      'see whether its server runs and can be reached from here; recordings wait in the journal meanwhile',
  );
}

function isCovered(wanted: string, name: string): boolean {
  if (wanted.toLowerCase() === name.toLowerCase()) return true;
  const [, ...rest] = wanted.split('.');
  return isIP(wanted) === 0 && name.startsWith('*.') && name.slice(2).toLowerCase() === rest.join('.').toLowerCase();
}
