/** Checking and making passwords: few at a time, and taking as long for an account that does not exist. */

import { appError } from '../../storage/base/errors.ts';
import { adminLimits } from './limits.ts';
import { Turns } from './turns.ts';

/** A slow, salted hash (argon2); the text carries its parameters. */
export type PasswordHasher = {
  readonly hash: (password: string) => Promise<string>;
  readonly verify: (password: string, hash: string) => Promise<boolean>;
};

/** No characters that look alike. */
const oneTimeAlphabet = 'abcdefghjkmnpqrstuvwxyz23456789';

export class Passwords {
  readonly #hasher: PasswordHasher;
  readonly #random: (bytes: number) => Uint8Array;
  readonly #turns = new Turns({
    atOnceMax: adminLimits.passwordChecksMax,
    waitingMax: adminLimits.passwordQueueMax,
    what: 'logins',
  });
  /** What a password of nobody is compared with, so that the answer takes as long. */
  #hashOfNobody: Promise<string> | undefined;

  constructor(deps: { readonly hasher: PasswordHasher; readonly random: (bytes: number) => Uint8Array }) {
    this.#hasher = deps.hasher;
    this.#random = deps.random;
  }

  /** Begins to hash what stands for nobody; nothing but a first login waits for it. */
  start(): void {
    this.#hashOfNobody = this.#hasher.hash(Buffer.from(this.#random(24)).toString('base64url'));
  }

  hash(password: string): Promise<string> {
    return this.#turns.take(() => this.#hasher.hash(password));
  }

  /**
   * @param find  called when it is this check's turn: the account's hash, undefined for nobody's; it may throw to refuse
   * @throws AppError resource_exhausted  too many are being checked
   */
  check(password: string, find: () => string | undefined): Promise<boolean> {
    return this.#turns.take(async () => {
      const hash = find();
      const isRight = await this.#hasher.verify(password, hash ?? (await this.#hashOfNobody) ?? '');
      return hash !== undefined && isRight;
    });
  }

  /** 20 characters in groups of five, about 99 bits: for printing once. */
  oneTime(): string {
    const characters: string[] = [];
    while (characters.length < 20) {
      for (const byte of this.#random(32)) {
        // 248 is the largest multiple of 31 that a byte holds: without this the first letters would be likelier.
        const character = byte < 248 ? oneTimeAlphabet[byte % 31] : undefined;
        if (character !== undefined) characters.push(character);
      }
    }
    return (characters.slice(0, 20).join('').match(/.{5}/g) ?? []).join('-');
  }
}

/** @throws AppError invalid_argument  the password is too short, too long, or is the account's name */
export function requireGoodPassword(password: string, accountName: string): void {
  const characters = [...password].length;
  if (characters < adminLimits.passwordCharactersMin || characters > adminLimits.passwordCharactersMax) {
    throw appError('invalid_argument', `a password has ${adminLimits.passwordCharactersMin} characters or more`, {
      field: 'newPassword',
      hint: 'several words are easier to remember than one with odd characters',
    });
  }
  if (password.toLowerCase().includes(accountName.toLowerCase()) && characters < 2 * accountName.length + 8) {
    throw appError('invalid_argument', 'the password must not be the name of the account', { field: 'newPassword' });
  }
}
