/** Certificates of the public port: our own authority's, or the site's; and those that devices show. */

export { certificateFacts } from './authority.ts';
export { certificateFingerprint, DeviceAuthority, type DeviceIdentity } from './device-authority.ts';
export { OwnCertificates, ownServerPaths } from './own-certificates.ts';
export { requestCharactersMax } from './signing-request.ts';
export { SiteCertificates } from './site-certificates.ts';
export type { TlsMaterial } from './tls-material.ts';
