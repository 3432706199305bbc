/** Paths that follow from the configuration, and where this installation's own files lie. */

import { join } from 'node:path';
import { type Paths, pathsUnder } from '../../storage/model/paths.ts';
import type { Config } from '../config/index.ts';

/** What every process of ours is started from. */
export const mainEntry = join(import.meta.dirname, '..', 'main.ts');

/** The checkout. */
export const installDirectory = join(import.meta.dirname, '..', '..');

/** Where everything lies by this configuration. */
export function pathsOf(config: Config): Paths {
  return pathsUnder(config.dataDirectory, {
    journal: config.journal.directory,
    journalSpares: config.journal.spareDirectories,
    objects: config.objects.directory,
  });
}

export function siteKeyPath(config: Config): string {
  return config.siteKeyFile ?? join(pathsOf(config).secrets, 'site.key');
}
