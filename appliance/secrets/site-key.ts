/**
 * The site key: what camera passwords are sealed with in the catalog, in its backups and in the plan. It lies in a file of its
 * own, so that a copied database gives nothing away. The file keeps older keys below the newest: what they sealed still opens.
 *
 *   weir-site-key-v1 <id, 8 hex digits> <32 bytes, base64>          one line a key, newest first
 *
 * A sealed text: v1.<key id>.<base64url of 12 bytes nonce, ciphertext, 16 bytes tag>, AES-256-GCM; version, key id and purpose are
 * authenticated with it, so a text sealed for one purpose does not open as another.
 */

import { createCipheriv, createDecipheriv, createHash } from 'node:crypto';
import { chmod, link, mkdir, open, readFile, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { appError, errnoOf } from '../../storage/base/errors.ts';
import { syncDirectory, writeFileAtomic } from '../../storage/base/files.ts';

/** Seals and opens texts of one purpose. */
export type SecretBox = { readonly seal: (text: string) => string; readonly unseal: (sealed: string) => string };

/** Cryptographically random bytes: `crypto.randomBytes`. */
export type RandomBytes = (bytes: number) => Uint8Array;

type Key = { readonly id: string; readonly bytes: Uint8Array };

const magic = 'weir-site-key-v1';
const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;
/** A user name or password of a camera: digest headers of cameras have fewer than 1 KB. */
const sealedCharactersMax = 4096;
/** Rotated once a year, nobody fills this in a lifetime; a file beyond it is no key file. */
const keysMax = 100;

export class SiteKey {
  readonly #path: string;
  readonly #random: RandomBytes;
  #keys: readonly Key[];

  private constructor(path: string, keys: readonly Key[], random: RandomBytes) {
    this.#path = path;
    this.#keys = keys;
    this.#random = random;
  }

  /**
   * Reads the key file, which is created with mode 0600 when there is none.
   *
   * @throws AppError failed_precondition  it holds no key, or others than its owner may read it
   */
  static async open(path: string, random: RandomBytes): Promise<SiteKey> {
    const text = (await readKeyFile(path)) ?? (await createKeyFile(path, random));
    return new SiteKey(path, parseKeys(text, path), random);
  }

  /** Adds a new key in front: whoever reads the file from then on seals by it, older texts still open. Returns the new fingerprint. */
  static async rotate(path: string, random: RandomBytes): Promise<string> {
    const text = await readKeyFile(path);
    if (text === undefined) throw appError('not_found', `there is no site key at ${path} yet`);
    parseKeys(text, path);
    const rotated = newKeyLine(random) + text;
    const keys = parseKeys(rotated, path);
    await writeFileAtomic(path, rotated, { mode: 0o600 });
    return new SiteKey(path, keys, random).fingerprint;
  }

  /** As the static one, and used at once by every box of this key. */
  async rotate(): Promise<string> {
    await SiteKey.rotate(this.#path, this.#random);
    await this.reload();
    return this.fingerprint;
  }

  /** Reads the file again: another process may have put a new key in front. Its older keys stay known whatever happens. */
  async reload(): Promise<void> {
    const text = await readKeyFile(this.#path);
    if (text === undefined) return;
    const read = parseKeys(text, this.#path);
    const known = this.#keys.filter(({ id }) => !read.some((key) => key.id === id));
    this.#keys = [...read, ...known];
  }

  /** For people to compare backups by; says nothing about the key. */
  get fingerprint(): string {
    const hash = createHash('sha256').update('weir site key').update(this.#newest.bytes).digest('hex');
    return (hash.slice(0, 16).match(/.{4}/g) ?? []).join(' ');
  }

  /** True when the text was sealed by a key before the newest: it is worth sealing again. */
  isOutdated(sealed: string): boolean {
    return sealed.split('.')[1] !== this.#newest.id;
  }

  /** Seals for one purpose, a constant such as `camera`. */
  box(purpose: string): SecretBox {
    return {
      seal: (text) => this.#seal(purpose, text),
      unseal: (sealed) => this.#unseal(purpose, sealed),
    };
  }

  get #newest(): Key {
    const [key] = this.#keys;
    if (key === undefined) throw appError('failed_precondition', 'there is no site key');
    return key;
  }

  #seal(purpose: string, text: string): string {
    const key = this.#newest;
    const nonce = this.#random(nonceBytes);
    const cipher = createCipheriv('aes-256-gcm', key.bytes, nonce);
    cipher.setAAD(authenticated(key.id, purpose));
    const sealed = [nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()];
    return `v1.${key.id}.${Buffer.concat(sealed).toString('base64url')}`;
  }

  #unseal(purpose: string, sealed: string): string {
    const [version, id, body] = sealed.length <= sealedCharactersMax ? sealed.split('.') : [];
    const bytes = Buffer.from(body ?? '', 'base64url');
    if (version !== 'v1' || id === undefined || bytes.length < nonceBytes + tagBytes) {
      throw appError('data_loss', 'a sealed secret is damaged', {
        hint: 'enter the user and password of the camera again',
      });
    }
    const key = this.#keys.find((candidate) => candidate.id === id);
    if (key === undefined) {
      throw appError('failed_precondition', `the site key ${id} that a secret was sealed with is not here`, {
        hint: 'bring back the site key file, or enter the user and password of each camera again',
      });
    }
    const decipher = createDecipheriv('aes-256-gcm', key.bytes, bytes.subarray(0, nonceBytes));
    decipher.setAAD(authenticated(key.id, purpose));
    decipher.setAuthTag(bytes.subarray(bytes.length - tagBytes));
    try {
      const text = decipher.update(bytes.subarray(nonceBytes, bytes.length - tagBytes));
      return Buffer.concat([text, decipher.final()]).toString('utf8');
    } catch (error) {
      throw appError('data_loss', 'a sealed secret does not open', {
        cause: error,
        hint: 'enter the user and password of the camera again',
      });
    }
  }
}

function authenticated(keyId: string, purpose: string): Uint8Array {
  return Buffer.from(`v1.${keyId}.${purpose}`);
}

function parseKeys(text: string, path: string): Key[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const keys = lines.slice(0, keysMax).flatMap((line) => {
    const [word, id = '', base64 = ''] = line.trim().split(/\s+/);
    const bytes = Buffer.from(base64, 'base64');
    return word === magic && /^[0-9a-f]{8}$/.test(id) && bytes.length === keyBytes ? [{ id, bytes }] : [];
  });
  if (keys.length === 0 || keys.length !== lines.length) {
    throw appError('failed_precondition', `${path} is not a whole site key file`, {
      hint: 'bring it back from a backup; without it the passwords of cameras must be entered again',
    });
  }
  return keys;
}

async function readKeyFile(path: string): Promise<string | undefined> {
  try {
    const [text, facts] = await Promise.all([readFile(path, 'utf8'), stat(path)]);
    if ((facts.mode & 0o077) !== 0) {
      throw appError('failed_precondition', `the site key ${path} may be read by others than its owner`, {
        hint: `chmod 600 ${path}`,
      });
    }
    return text;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Whole or not at all: a key file that was cut short by a power loss would be found on the day it is needed. */
async function createKeyFile(path: string, random: RandomBytes): Promise<string> {
  const text = newKeyLine(random);
  const directory = dirname(path);
  await mkdir(directory, { recursive: true });
  const beside = `${path}.${Buffer.from(random(4)).toString('hex')}.new`;
  const file = await open(beside, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    // A link fails where a rename would replace: the first of two starters wins, the other takes its key.
    await link(beside, path);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
    return await readFile(path, 'utf8');
  } finally {
    await unlink(beside);
  }
  await chmod(path, 0o600);
  await syncDirectory(directory);
  return text;
}

function newKeyLine(random: RandomBytes): string {
  const id = Buffer.from(random(4)).toString('hex');
  return `${magic} ${id} ${Buffer.from(random(keyBytes)).toString('base64')}\n`;
}
