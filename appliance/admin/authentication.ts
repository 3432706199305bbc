/**
 * Who is asking: by session cookie, by API token, or by being on the machine. Also login, and the first account.
 * It never decides what they may do.
 */

import { createHash } from 'node:crypto';
import { addressGroup } from '../../storage/base/address-group.ts';
import type { Clock } from '../../storage/base/clock.ts';
import { AppError, appError } from '../../storage/base/errors.ts';
import type { Log } from '../../storage/base/log.ts';
import type { AccessKey, Actor, Catalog, PolicyStatement, Session, User } from '../../storage/catalog/index.ts';
import { AttemptLimiter } from './attempts.ts';
import { anonymous, type Subject } from './authoriser.ts';
import { adminLimits } from './limits.ts';
import { type Passwords, requireGoodPassword } from './passwords.ts';

export type AuthenticationDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: (bytes: number) => Uint8Array;
  readonly catalog: Catalog;
  readonly passwords: Passwords;
};

/** Where a login comes from. */
export type LoginOrigin = { readonly address: string; readonly userAgent: string; readonly requestId: string };

/** Recognisable for those who scan repositories for secrets. */
const tokenPrefix = 'weir_';

export class Authentication {
  readonly #deps: AuthenticationDeps;
  readonly #attempts: AttemptLimiter;
  /** Refused logins that were noted in the current hour. */
  #noted = { sinceMs: 0, count: 0 };

  constructor(deps: AuthenticationDeps) {
    this.#deps = deps;
    this.#attempts = new AttemptLimiter(deps, {
      delayMsFirst: adminLimits.attemptDelayMsFirst,
      keysMax: adminLimits.attemptKeysMax,
      forgetMs: adminLimits.attemptForgetMs,
    });
  }

  /**
   * Makes the account `admin` when there is none at all.
   * @returns its one-time password, to be printed once; undefined when there are accounts
   */
  async createFirstAdmin(): Promise<{ readonly name: string; readonly password: string } | undefined> {
    const { catalog, passwords } = this.#deps;
    if (catalog.tables.users.list().length > 0) return undefined;
    const password = passwords.oneTime();
    const passwordHash = await passwords.hash(password);
    const actor: Actor = { kind: 'system', id: '', name: 'first start', address: '', requestId: '' };
    catalog.change(actor, ({ nowMs, note }) => {
      const user = catalog.tables.users.create(
        { name: 'admin', passwordHash, role: 'admin', policies: [], mustChangePassword: true },
        nowMs,
      );
      note({ action: 'users:create', resource: `user/${user.id}` });
    });
    return { name: 'admin', password };
  }

  /**
   * Opens a session.
   *
   * @returns the cookie's value, which is kept nowhere, and the session
   * @throws AppError unauthenticated     wrong name or password, or a disabled account: the same for all
   * @throws AppError resource_exhausted  too many wrong attempts for this account or from this address
   */
  async login(name: string, password: string, origin: LoginOrigin): Promise<{ cookie: string; session: Session }> {
    const { catalog, clock } = this.#deps;
    const user = await this.#checkPassword(name, password, origin);
    const cookie = secretText(this.#deps.random);
    const session = catalog.change(actorOf(user, origin), ({ nowMs, note }) => {
      catalog.tables.sessions.removeEnded({ nowMs, idleMsMax: adminLimits.sessionIdleMsMax });
      note({ action: 'own:login', resource: `user/${user.id}` });
      return catalog.tables.sessions.create(
        {
          tokenHash: hashOf(cookie),
          userId: user.id,
          expiresMs: clock.wallMs() + adminLimits.sessionMsMax,
          address: origin.address,
          userAgent: origin.userAgent,
        },
        nowMs,
      );
    });
    return { cookie, session };
  }

  /**
   * Replaces a person's password and ends their other sessions.
   * @throws AppError permission_denied   the current password is wrong
   * @throws AppError invalid_argument    the new one is no good
   * @throws AppError resource_exhausted  too many wrong attempts
   */
  async changePassword(
    userId: string,
    change: { readonly currentPassword: string; readonly newPassword: string; readonly sessionId: string | undefined },
    origin: LoginOrigin,
  ): Promise<void> {
    const { catalog, passwords } = this.#deps;
    const name = catalog.tables.users.find(userId)?.name ?? '';
    const user = await this.#checkPassword(name, change.currentPassword, origin).catch((error: unknown) => {
      if (error instanceof AppError && error.code === 'unauthenticated') {
        throw appError('permission_denied', 'the current password is wrong', { field: 'currentPassword' });
      }
      throw error;
    });
    requireGoodPassword(change.newPassword, user.name);
    if (change.newPassword === change.currentPassword) {
      throw appError('invalid_argument', 'the new password is the old one', { field: 'newPassword' });
    }
    const passwordHash = await passwords.hash(change.newPassword);
    catalog.change(actorOf(user, origin), ({ nowMs, note }) => {
      catalog.tables.users.update(userId, { passwordHash, mustChangePassword: false }, nowMs);
      catalog.tables.sessions.removeOf(userId, { exceptId: change.sessionId });
      note({ action: 'own:password', resource: `user/${userId}` });
    });
  }

  /** The person of a session cookie; undefined when it opens nothing (any more). */
  byCookie(cookie: string): { readonly subject: Subject; readonly session: Session } | undefined {
    const { catalog, clock } = this.#deps;
    const session = catalog.tables.sessions.use(hashOf(cookie), {
      nowMs: clock.wallMs(),
      idleMsMax: adminLimits.sessionIdleMsMax,
    });
    const subject = session === undefined ? undefined : this.userSubject(session.userId);
    return session === undefined || subject === undefined ? undefined : { subject, session };
  }

  /** The program of an API token; undefined when there is none or it has expired. */
  byToken(secret: string): Subject | undefined {
    const token = this.#deps.catalog.tables.tokens.use(hashOf(secret), this.#deps.clock.wallMs());
    if (token === undefined) return undefined;
    return this.#subject({ kind: 'token', ...token, mustChangePassword: false });
  }

  /**
   * Whom a user name and password belong to: a person, or an API token by its id or name with its secret. No session is opened.
   *
   * @throws AppError unauthenticated     wrong, or a disabled account: the same for all
   * @throws AppError resource_exhausted  too many wrong attempts for this account or from this address
   */
  async byPassword(name: string, password: string, origin: LoginOrigin): Promise<Subject> {
    if (!password.startsWith(tokenPrefix)) {
      const user = await this.#checkPassword(name, password, origin);
      return this.#subject({ kind: 'user', ...user });
    }
    const keys = this.#keysOf(name, origin);
    this.#requirePatience(keys.account, keys.address);
    const subject = this.byToken(password);
    if (subject === undefined || (subject.id !== name && subject.name !== name)) throw this.#wrong(name, keys, origin);
    this.#attempts.right(keys.account);
    return subject;
  }

  /**
   * The program behind a digest.
   *
   * @param idOrName  of its token
   * @param isProven  whether what is kept of the token under the site key verifies the digest
   * @throws AppError  as `byPassword`
   */
  byDigest(idOrName: string, isProven: (sealedDigests: string) => boolean, origin: LoginOrigin): Subject {
    const { catalog, clock } = this.#deps;
    const keys = this.#keysOf(idOrName, origin);
    this.#requirePatience(keys.account, keys.address);
    const token = catalog.tables.tokens.findForDigest(idOrName, clock.wallMs());
    if (token === undefined || token.sealedDigests === null || !isProven(token.sealedDigests)) {
      throw this.#wrong(idOrName, keys, origin);
    }
    this.#attempts.right(keys.account);
    catalog.tables.tokens.touch(token, clock.wallMs());
    const { sealedDigests: _, ...known } = token;
    return this.#subject({ kind: 'token', ...known, mustChangePassword: false });
  }

  /** The person as they are now; undefined when removed or disabled. */
  userSubject(userId: string): Subject | undefined {
    const user = this.#deps.catalog.tables.users.find(userId);
    return user === undefined || user.isDisabled ? undefined : this.#subject({ kind: 'user', ...user });
  }

  /** The program as it is now; undefined when its token was removed or has expired. */
  tokenSubject(tokenId: string): Subject | undefined {
    const token = this.#deps.catalog.tables.tokens.find(tokenId);
    const isOver = token !== undefined && token.expiresMs !== null && token.expiresMs <= this.#deps.clock.wallMs();
    if (token === undefined || isOver) return undefined;
    return this.#subject({ kind: 'token', ...token, mustChangePassword: false });
  }

  /** Whoever may open the socket in our own directory. */
  localSubject(): Subject {
    const who = {
      kind: 'local',
      id: '',
      name: 'local',
      role: 'admin',
      policies: [],
      mustChangePassword: false,
    } as const;
    return this.#subject(who);
  }

  /** The client whose signature was verified by this access key. */
  accessKeySubject(key: Pick<AccessKey, 'id' | 'name' | 'policies'>): Subject {
    const { id, name, policies } = key;
    return this.#subject({ kind: 'access-key', id, name, role: null, policies, mustChangePassword: false });
  }

  /**
   * The client behind temporary credentials: it may do what these policies say, and no more than what it was narrowed to.
   * @param who.denying  policies of which the denials count as well: who chooses among their own must not choose away those
   */
  clientSubject(who: {
    readonly kind: 'device' | 'role';
    readonly id: string;
    readonly name: string;
    readonly policies: readonly string[];
    readonly denying?: readonly string[];
    readonly restriction?: readonly PolicyStatement[] | undefined;
  }): Subject {
    const { kind, id, name, policies, denying = [], restriction } = who;
    const denials = this.#statements(denying).filter(({ effect }) => effect === 'deny');
    // One that is not there might have been a denial.
    const isWhole = denying.every((policy) => this.#deps.catalog.tables.policies.find(policy) !== undefined);
    const statements = isWhole ? [...this.#statements(policies), ...denials] : [];
    return { kind, id, name, role: null, mustChangePassword: false, statements, restriction };
  }

  /** The publisher that shows a stream key: it may publish to that stream and nothing else. Undefined when the key opens nothing. */
  streamKeySubject(keySha256: string): Subject | undefined {
    const { cameras } = this.#deps.catalog.tables;
    const found = cameras.findByKey(keySha256);
    const stream = found && cameras.find(found.cameraId)?.streams.find(({ role }) => role === found.role);
    if (stream === undefined) return undefined;
    const resources = [`camera/${stream.cameraId}/stream/${stream.id}`];
    return {
      ...{ kind: 'stream-key', id: keySha256, name: stream.name, role: null, mustChangePassword: false },
      statements: [{ effect: 'allow', actions: ['streams:publish'], resources }],
    };
  }

  /** The subject as it is now: what it may do may have changed since. */
  refreshed(subject: Subject): Subject {
    if (subject.kind === 'user') return this.userSubject(subject.id) ?? anonymous;
    if (subject.kind === 'token') return this.tokenSubject(subject.id) ?? anonymous;
    if (subject.kind === 'stream-key') return this.streamKeySubject(subject.id) ?? anonymous;
    return subject.kind === 'local' ? this.localSubject() : anonymous;
  }

  /** A new API token's secret and what is kept of it. */
  newToken(): { readonly secret: string; readonly tokenHash: Uint8Array } {
    const secret = `${tokenPrefix}${secretText(this.#deps.random)}`;
    return { secret, tokenHash: hashOf(secret) };
  }

  async #checkPassword(name: string, password: string, origin: LoginOrigin): Promise<User> {
    const { catalog, passwords } = this.#deps;
    const { account, address } = this.#keysOf(name, origin);
    let user: User | undefined;
    this.#requirePatience(account, address);
    const isRight = await passwords.check(password, () => {
      // Asked again: others of the same account may have failed while this one waited for its turn.
      this.#requirePatience(account, address);
      user = catalog.tables.users.findByName(name);
      return user?.passwordHash;
    });
    if (user === undefined || !isRight || user.isDisabled) throw this.#wrong(name, { account, address }, origin);
    this.#attempts.right(account);
    return user;
  }

  #keysOf(name: string, origin: LoginOrigin): { readonly account: string; readonly address: string } {
    const account = `account ${name.normalize('NFKC').toLowerCase()}`;
    return { account, address: `address ${addressGroup(origin.address)}` };
  }

  #requirePatience(...keys: readonly string[]): void {
    const waitMs = Math.max(...keys.map((key) => this.#attempts.waitMs(key)));
    if (waitMs > 0) {
      throw appError('resource_exhausted', 'too many wrong attempts', {
        retryAfterMs: waitMs,
        hint: `wait ${Math.ceil(waitMs / 1000)} s`,
      });
    }
  }

  #wrong(name: string, keys: { readonly account: string; readonly address: string }, origin: LoginOrigin): AppError {
    const { catalog, log } = this.#deps;
    this.#attempts.wrong(keys.account, adminLimits.accountAttempts);
    const count = this.#attempts.wrong(keys.address, adminLimits.addressAttempts);
    log.warn('login refused', { name: name.slice(0, 64), address: origin.address, requestId: origin.requestId, count });
    // Of one address the 1st, 2nd, 4th, 8th ... in a row.
    if ((count & (count - 1)) === 0 && this.#mayNoteRefusal()) {
      const actor: Actor = { kind: 'anonymous', id: '', name, address: origin.address, requestId: origin.requestId };
      catalog.change(actor, ({ note }) =>
        note({ action: 'own:login', resource: 'own', outcome: 'refused', detail: { count } }),
      );
    }
    return appError('unauthenticated', 'wrong name or password', {});
  }

  #mayNoteRefusal(): boolean {
    const nowMs = this.#deps.clock.monotonicMs();
    if (nowMs - this.#noted.sinceMs >= 3_600_000) this.#noted = { sinceMs: nowMs, count: 0 };
    return ++this.#noted.count <= adminLimits.refusedNotesPerHourMax;
  }

  #subject(who: {
    readonly kind: Subject['kind'];
    readonly id: string;
    readonly name: string;
    readonly role: string | null;
    readonly policies: readonly string[];
    readonly mustChangePassword: boolean;
  }): Subject {
    const { kind, id, name, role, mustChangePassword } = who;
    const names = role === null ? who.policies : [role, ...who.policies];
    return { kind, id, name, role, mustChangePassword, statements: this.#statements(names) };
  }

  /** Fails closed: a policy that is not there might have been a denial. */
  #statements(names: readonly string[]): readonly PolicyStatement[] {
    const found = names.map((name) => this.#deps.catalog.tables.policies.find(name));
    return found.includes(undefined) ? [] : found.flatMap((policy) => policy?.statements ?? []);
  }
}

function actorOf(user: User, origin: LoginOrigin): Actor {
  return { kind: 'user', id: user.id, name: user.name, address: origin.address, requestId: origin.requestId };
}

function secretText(random: (bytes: number) => Uint8Array): string {
  return Buffer.from(random(32)).toString('base64url');
}

function hashOf(secret: string): Uint8Array {
  return createHash('sha256').update(secret).digest();
}
