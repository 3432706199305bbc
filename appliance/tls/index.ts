/** Certificates of the public port: our own authority's, or the site's. */

export { certificateFacts } from './authority.ts';
export { OwnCertificates, ownServerPaths } from './own-certificates.ts';
export { SiteCertificates } from './site-certificates.ts';
export type { TlsMaterial } from './tls-material.ts';
