/**
 * Who may watch what: asked of the appliance, which alone knows people, tokens and the one authoriser. Nothing in this room
 * decides, and nothing in it keeps a password.
 */

export type DigestAlgorithm = 'MD5' | 'SHA-256';

/** What a reader showed. */
export type RtspCredentials =
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  | {
      readonly kind: 'digest';
      readonly username: string;
      readonly algorithm: DigestAlgorithm;
      /** True when the reader knows the password behind H(user:realm:password), in hexadecimal. */
      readonly isProvenBy: (hashedSecret: string) => boolean;
    };

/** Where a request comes from. */
export type RtspOrigin = { readonly address: string; readonly requestId: string; readonly isEncrypted: boolean };

/** Somebody who is known. */
export type RtspReader = {
  /** For logs. */
  readonly name: string;
  /**
   * Asks the one authoriser, with permissions as they are now.
   *
   * @param name  of a stream or camera
   * @throws AppError unauthenticated    the account or token is gone
   * @throws AppError permission_denied  not this one, or there is none of the name: the same to those who may not see all
   * @throws AppError not_found          there is none, said to those who may see all
   */
  readonly view: (name: string) => { readonly streamId: string; readonly name: string };
  /** Told now and then, and at the end, how many bytes of media were sent since the last time. */
  readonly onSent?: (streamId: string, bytes: number) => void;
};

export type RtspGate = {
  /** Shown in challenges, and part of every digest. */
  readonly realm: string;
  /** Whether passwords may be sent as they are: over TLS, or where the site says so. */
  readonly isBasicOffered: (origin: RtspOrigin) => boolean;
  /**
   * @throws AppError unauthenticated     wrong credentials
   * @throws AppError resource_exhausted  too many wrong attempts; `retryAfterMs` says how long to wait
   */
  readonly identify: (credentials: RtspCredentials, origin: RtspOrigin) => Promise<RtspReader>;
};
