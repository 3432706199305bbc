/** What a person at the terminal needs: where the page is, the first password, what the browser will show of the certificate. */

import { hostname } from 'node:os';
import type { Config } from '../config/index.ts';

export function startNotice(facts: {
  /** Made just now: its password is told here and nowhere else. */
  readonly firstAdmin: { readonly name: string; readonly password: string } | undefined;
  readonly port: number;
  readonly config: Config;
  /** SHA-256 of our authority's certificate; undefined when the site brought its own, or without TLS. */
  readonly fingerprint: string | undefined;
}): string[] {
  const { firstAdmin, fingerprint } = facts;
  const lines = ['', `  Weir is ready at ${pageUrl(facts)}`];
  if (firstAdmin !== undefined) {
    lines.push('', `  Log in as "${firstAdmin.name}" with the one-time password  ${firstAdmin.password}`);
    lines.push('  It is shown only now; you choose your own at the first login.');
    if (fingerprint !== undefined) {
      lines.push(
        '',
        "  Browsers warn until they trust Weir's own authority (node appliance/setup/weir.mjs ca export). Its SHA-256:",
        `  ${fingerprint}`,
      );
    }
  }
  return [...lines, ''];
}

function pageUrl({ config, port }: { readonly config: Config; readonly port: number }): string {
  if (config.publicUrl !== undefined) return config.publicUrl;
  const { address } = config.listen;
  const isEverywhere = address === '0.0.0.0' || address === '::';
  const host = isEverywhere ? hostname() : address.includes(':') ? `[${address}]` : address;
  const scheme = config.tls.mode === 'plain' ? 'http' : 'https';
  const url = `${scheme}://${host}:${port}/`;
  return isEverywhere ? `${url} (on this machine ${scheme}://localhost:${port}/)` : url;
}
