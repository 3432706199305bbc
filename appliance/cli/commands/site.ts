/** `weir apply`, `weir export`, `weir seal`: a site as a file. */

import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { stringify } from 'yaml';
import { z } from 'zod';
import { appError, errnoOf } from '../../../storage/base/errors.ts';
import { apiOf, type CommandContext } from '../command-context.ts';
import { addConfigFlags } from '../config-flags.ts';
import { somethingToDo } from '../exit-codes.ts';
import { table } from '../output.ts';
import { readSiteFile } from '../site-file.ts';

const itemShape = z.looseObject({
  action: z.enum(['create', 'change', 'remove', 'adopt']),
  kind: z.string(),
  key: z.string(),
  name: z.string(),
  changed: z.array(z.string()),
  isHandMade: z.boolean(),
});
const planShape = z.looseObject({
  site: z.string(),
  revision: z.string(),
  hasChanges: z.boolean(),
  items: z.array(itemShape),
});
const appliedShape = planShape.extend({
  told: z.object({
    passwords: z.array(z.object({ user: z.string(), oneTimePassword: z.string() })),
    streamKeys: z.array(z.object({ camera: z.string(), role: z.string(), streamKey: z.string() })),
    webhookSecrets: z.array(z.object({ webhook: z.string(), secret: z.string() })),
  }),
});
const exportShape = z.looseObject({ version: z.number(), site: z.string() });
const sealShape = z.object({ sealed: z.string() });

type Plan = z.infer<typeof planShape>;
type ApplyFlags = { readonly dryRun?: boolean; readonly prune?: boolean; readonly takeOver?: boolean };

const exportedHead = [
  ' What this machine is to be: `weir apply` makes it so. docker/site.sample.yaml explains every key.',
  ' Sealed texts open where the site key is that they were sealed with (`weir keys site` shows its fingerprint):',
  ' on another machine bring its file, or put { env: NAME } or { file: PATH } in their place.',
  ' Passwords of accounts are not in it: an account that is made anew gets a one-time password.',
].join('\n');

export function addSiteCommands(program: Command, context: CommandContext): void {
  const { output } = context;

  const apply = program
    .command('apply <site.yaml>')
    .description(
      'Makes this machine what a site file says: cameras, accounts, policies, webhooks and settings. Prints what it does first; applied again it does nothing. Removes only what the file managed before.',
    )
    .option('--dry-run', `only print what would be done; ends with code ${somethingToDo} when there is something`)
    .option('--prune', 'remove what was made by hand and is not in the file, too')
    .option('--take-over', 'take over what the file names and another site file manages');
  addConfigFlags(apply, 'finding').action(async (name: string, flags: ApplyFlags) => {
    const { workingDirectory, environment } = context.surroundings;
    const { content, located } = await readSiteFile(resolve(workingDirectory, name), { environment });
    const api = await apiOf(apply, context);
    const query = new URLSearchParams({
      prune: String(flags.prune === true),
      takeOver: String(flags.takeOver === true),
    });
    const call = async (path: string) => {
      try {
        return await api.call('POST', path, content);
      } catch (error) {
        throw located(error);
      }
    };
    const plan = planShape.parse(await call(`/api/site/plan?${query}`));
    if (flags.dryRun === true) {
      output.result(plan, () => [
        ...linesOf(plan),
        ...(plan.hasChanges ? ['nothing was changed: this was a dry run'] : []),
      ]);
      if (plan.hasChanges) output.exitCode = somethingToDo;
      return;
    }
    if (!output.isJson) for (const line of linesOf(plan)) output.line(line);
    query.set('revision', plan.revision);
    const applied = appliedShape.parse(await call(`/api/site/apply?${query}`));
    output.result(applied, () => [...toldLines(applied.told), ...(plan.hasChanges ? ['applied'] : [])]);
  });

  const write = program
    .command('export')
    .description(
      'Writes this machine as a site file, secrets sealed by its site key. Applied here it does nothing, on an empty machine with the same site key it makes the same site.',
    )
    .option('--out <file>', 'where to (default: standard output)')
    .option('--site <name>', 'name of the site file (default: the one that manages this machine)')
    .option('--force', 'overwrite the file');
  addConfigFlags(write, 'finding').action(async (flags: { out?: string; site?: string; force?: boolean }) => {
    const api = await apiOf(write, context);
    const query = flags.site === undefined ? '' : `?${new URLSearchParams({ site: flags.site })}`;
    const document = exportShape.parse(await api.call('GET', `/api/site/export${query}`));
    const text = `${exportedHead.replace(/^/gm, '#')}\n${stringify(document, { lineWidth: 0 })}`;
    if (flags.out === undefined) {
      output.result(document, () => [text.trimEnd()]);
      return;
    }
    const path = resolve(context.surroundings.workingDirectory, flags.out);
    await writeNew(path, text, { isForced: flags.force === true });
    output.result({ site: document.site, path }, () => [`wrote ${path}`]);
  });

  const seal = program
    .command('seal')
    .description(
      'Seals a secret for a site file of this machine: reads it from standard input, prints what stands behind "sealed:".',
    );
  addConfigFlags(seal, 'finding').action(async () => {
    const api = await apiOf(seal, context);
    const text = (await context.readInput()).replace(/\r?\n$/, '');
    if (text === '') throw appError('invalid_argument', 'standard input is empty', { hint: 'weir seal < password' });
    const made = sealShape.parse(await api.call('POST', '/api/site/seal', { text }));
    output.result(made, () => [made.sealed]);
  });
}

const signs = { create: '+', change: '~', remove: '-', adopt: '=' } as const;

/** The plan for people: what becomes of what, and a sum. */
function linesOf({ items, hasChanges }: Plan): string[] {
  const rows = items.map((item) => [signs[item.action], item.kind, item.name, detailOf(item)]);
  const count = (action: string) => items.filter((item) => item.action === action).length;
  const adopted = count('adopt');
  const also = adopted === 0 ? '' : ` (${adopted} managed by this file from now on)`;
  const sum = hasChanges
    ? `${count('create')} to create, ${count('change')} to change, ${count('remove')} to remove${also}`
    : `nothing to do${also}`;
  return [...table(['', '', '', ''], rows).slice(1), sum];
}

function detailOf({ action, kind, key, name, changed, isHandMade }: Plan['items'][number]): string {
  const keyed = key === name ? '' : `key ${key}`;
  const made = isHandMade && kind !== 'setting' ? 'made by hand' : '';
  const kept = action === 'remove' && kind === 'camera' ? 'its recordings stay under their retention' : '';
  return [changed.join(', '), keyed, made, kept].filter((text) => text !== '').join('; ');
}

function toldLines(told: z.infer<typeof appliedShape>['told']): string[] {
  const lines = [
    ...told.passwords.map((each) => `${each.user} logs in with the one-time password  ${each.oneTimePassword}`),
    ...told.streamKeys.map((each) => `stream key of ${each.camera} (${each.role}):  ${each.streamKey}`),
    ...told.webhookSecrets.map((each) => `${each.webhook} is signed with the secret  ${each.secret}`),
  ];
  return lines.length === 0 ? [] : [...lines, 'These are shown this once.'];
}

async function writeNew(path: string, text: string, { isForced }: { readonly isForced: boolean }): Promise<void> {
  try {
    await writeFile(path, text, { flag: isForced ? 'w' : 'wx', mode: 0o600 });
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
    throw appError('already_exists', `${path} is there already`, {
      cause: error,
      hint: '--force overwrites it: comments and references in it are then gone',
    });
  }
}
