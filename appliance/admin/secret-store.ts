/** Secrets that KVS clients name by ARNs of Secrets Manager's shape, and that nobody reads again: they are opened for us alone. */

import { type KvsSite, secretArn } from '../../gateway/kvs/index.ts';
import type { Actor, Catalog, StoredSecret } from '../../storage/catalog/index.ts';
import type { SecretBox } from '../secrets/index.ts';

/** As people see one. */
export type ShownSecret = Omit<StoredSecret, 'id'> & { readonly arn: string };

export function secretResource(name: string): string {
  return `secret/${name}`;
}

export class SecretStore {
  readonly #catalog: Catalog;
  readonly #box: SecretBox;
  readonly #site: KvsSite;

  constructor(
    { catalog, box }: { readonly catalog: Catalog; readonly box: SecretBox },
    { site }: { readonly site: KvsSite },
  ) {
    this.#catalog = catalog;
    this.#box = box;
    this.#site = site;
  }

  /** By name. */
  list(): ShownSecret[] {
    return this.#catalog.tables.secrets.list().map((secret) => this.#shown(secret));
  }

  /** @throws AppError already_exists, resource_exhausted */
  add({ name, value }: { readonly name: string; readonly value: string }, actor: Actor): ShownSecret {
    const sealedValue = this.#box.seal(value);
    return this.#catalog.change(actor, ({ nowMs, note }) => {
      const made = this.#catalog.tables.secrets.create({ name, createdBy: actor.name, sealedValue }, nowMs);
      note({ action: 'secrets:create', resource: secretResource(name), detail: { name } });
      return this.#shown(made);
    });
  }

  /** Under the same ARN; who was told the old value keeps it. @throws AppError not_found  no such secret */
  replace({ name, value }: { readonly name: string; readonly value: string }, actor: Actor): ShownSecret {
    const sealedValue = this.#box.seal(value);
    return this.#catalog.change(actor, ({ note }) => {
      const replaced = this.#catalog.tables.secrets.replace(name, sealedValue);
      note({ action: 'secrets:update', resource: secretResource(name), detail: { name } });
      return this.#shown(replaced);
    });
  }

  /** @throws AppError not_found  no such secret */
  remove(name: string, actor: Actor): void {
    this.#catalog.change(actor, ({ note }) => {
      this.#catalog.tables.secrets.remove(name);
      note({ action: 'secrets:delete', resource: secretResource(name), detail: { name } });
    });
  }

  /** What the secret of an ARN says; undefined when there is none, or the site key does not open it. */
  open(arn: string): string | undefined {
    const name =
      arn
        .split(':')
        .at(-1)
        ?.replace(/-[a-z2-7]{6}$/, '') ?? '';
    const found = this.#catalog.tables.secrets.findToOpen(name);
    if (found === undefined || secretArn(this.#site, found) !== arn) return undefined;
    try {
      return this.#box.unseal(found.sealedValue);
    } catch {
      return undefined;
    }
  }

  #shown({ id, ...secret }: StoredSecret): ShownSecret {
    return { ...secret, arn: secretArn(this.#site, { id, name: secret.name }) };
  }
}
