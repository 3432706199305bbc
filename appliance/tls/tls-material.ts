/** What a TLS listener needs, wherever it comes from. */

export type TlsMaterial = {
  /** PEM: private key, and certificate with its chain. */
  readonly identity: () => { readonly key: string; readonly cert: string };
  /** PEM of our own authority; undefined when the site brought its certificate. */
  readonly authorityPem: () => string | undefined;
  /** Called when `identity` changed. Returns how to stop. */
  readonly onRenewed: (callback: () => void) => () => void;
};
