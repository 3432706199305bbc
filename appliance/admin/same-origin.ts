/** Whether a browser sent a request from our own page. Programs send neither header and are not browsers. Pure. */

/**
 * False when the browser says that another site caused the request.
 * @param headers  names in lower case
 * @param own      how this connection came, and how others reach us by configuration
 */
export function isSameOrigin(
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
  own: { readonly isEncrypted: boolean; readonly publicOrigin: string | undefined },
): boolean {
  const { origin, host } = headers;
  if (origin !== undefined) {
    return origin === `${own.isEncrypted ? 'https' : 'http'}://${String(host)}` || origin === own.publicOrigin;
  }
  const site = headers['sec-fetch-site'];
  return site === undefined || site === 'same-origin' || site === 'none';
}
