/** `weir keys`: API tokens of programs, access keys (`access-keys.ts`), and the site key. */

import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import { z } from 'zod';
import { systemClock } from '../../../storage/base/clock.ts';
import { appError, errnoOf, isAppError } from '../../../storage/base/errors.ts';
import { siteKeyPath } from '../../roles/index.ts';
import { SiteKey } from '../../secrets/index.ts';
import { apiOf, type CommandContext } from '../command-context.ts';
import { addConfigFlags } from '../config-flags.ts';
import { table } from '../output.ts';
import { runningConfigOf } from '../running-config.ts';
import { addAccessKeyCommands } from './access-keys.ts';

const dayMs = 86_400_000;

const tokenShape = z.looseObject({
  id: z.string(),
  name: z.string(),
  role: z.string().nullable(),
  expiresMs: z.number().nullable(),
  lastUsedMs: z.number().nullable(),
});
const listShape = z.looseObject({ tokens: z.array(tokenShape) });
const rotatedShape = z.looseObject({ fingerprint: z.string(), resealed: z.number() });
const madeShape = z.looseObject({ token: tokenShape, secret: z.string() });

export function addKeyCommands(program: Command, context: CommandContext): void {
  const keys = program
    .command('keys')
    .summary('API tokens, access keys of KVS clients, and the site key that seals secrets');
  const { output } = context;

  const list = keys.command('list').description('Lists API tokens.');
  addConfigFlags(list, 'finding').action(async () => {
    const { tokens } = listShape.parse(await (await apiOf(list, context)).call('GET', '/api/tokens'));
    const day = (ms: number | null) => (ms === null ? 'never' : new Date(ms).toISOString().slice(0, 10));
    output.result({ tokens }, () =>
      table(
        ['name', 'role', 'expires', 'last used', 'id'],
        tokens.map((token) => [token.name, token.role ?? '-', day(token.expiresMs), day(token.lastUsedMs), token.id]),
      ),
    );
  });

  const create = keys
    .command('create <name>')
    .description('Makes an API token for a program and shows its secret, once.')
    .option('--role <role>', 'admin, operator, viewer, or a policy of your own', 'viewer')
    .option('--days <days>', 'how long it is valid (default: until it is revoked)');
  addConfigFlags(create, 'finding').action(async (name: string, flags: { role: string; days?: string }) => {
    const api = await apiOf(create, context);
    const expires = flags.days === undefined ? null : Math.round(systemClock.wallMs() + Number(flags.days) * dayMs);
    const made = madeShape.parse(await api.call('POST', '/api/tokens', { name, role: flags.role, expires }));
    output.result(made, () => [made.secret]);
  });

  const revoke = keys.command('revoke <name-or-id>').description('Ends an API token at once.');
  addConfigFlags(revoke, 'finding').action(async (name: string) => {
    const api = await apiOf(revoke, context);
    const { tokens } = listShape.parse(await api.call('GET', '/api/tokens'));
    const [token, second] = tokens.filter((one) => one.id === name || one.name === name);
    if (token === undefined) throw appError('not_found', `there is no token ${name}`);
    if (second !== undefined)
      throw appError('invalid_argument', `several tokens are named ${name}`, { hint: 'name one by its id' });
    await api.call('DELETE', `/api/tokens/${token.id}`);
    output.result({ revoked: token.id }, () => [`revoked ${token.name}`]);
  });

  addAccessKeyCommands(keys, context);

  const site = keys
    .command('site')
    .description(
      "Shows the site key's fingerprint and file. Keep a copy of the file apart from backups of the database.",
    );
  addConfigFlags(site, 'all').action(async () => {
    const path = siteKeyPath((await runningConfigOf(site, context.surroundings)).config);
    const { fingerprint } = await SiteKey.open(path, randomBytes);
    output.result({ path, fingerprint }, () => [`${fingerprint}  ${path}`]);
  });

  const rotate = keys
    .command('rotate-site')
    .description(
      'Puts a new site key in front and seals every stored secret anew by it: at once where Weir runs, else at its next start. Older keys stay in the file, for backups.',
    );
  addConfigFlags(rotate, 'all').action(async () => {
    const path = siteKeyPath((await runningConfigOf(rotate, context.surroundings)).config);
    const api = await apiOf(rotate, context);
    const { fingerprint, resealed } = await api.call('POST', '/api/system/site-key/rotate').then(
      (answer) => rotatedShape.parse(answer),
      async (error: unknown) => {
        const cause = isAppError(error, 'unavailable') ? errnoOf(error.cause) : undefined;
        if (cause !== 'ENOENT' && cause !== 'ECONNREFUSED') throw error;
        return { fingerprint: await SiteKey.rotate(path, randomBytes), resealed: null };
      },
    );
    output.result({ path, fingerprint, resealed }, () => [
      `${fingerprint}  ${path}`,
      resealed === null ? 'secrets are sealed anew at the next start' : `${resealed} secrets sealed anew`,
      'back the file up',
    ]);
  });
}
