/**
 * Where everything lies under the data directory. One place, since four processes meet in these files.
 *
 *   journal/open/<ingest>.<epoch>/<stream>/<segment file>   being written by that ingest process and nobody else
 *   journal/finished/<stream>/<segment file>                complete (table written); the keeper takes it from here
 *                                                           (spare journal directories have the same two folders, and `moving`)
 *   state/<ingest>/epoch.json                               the newest epoch of an ingest process: older ones are dead
 *   state/<ingest>/numbers/<stream>.json                    reserved fragment number blocks
 *   state/<ingest>/ledger/<epoch>-<n>.jsonl                 run states for the gap ledger, appended; the keeper reads
 *   state/plan.json                                         what ingest has to do; written by serve, secrets sealed
 *   db/catalog.sqlite, db/index.sqlite                      writers: serve, keeper
 *   objects/                                                the directory object store
 *   moving/                                                 a segment on its way between stores that are elsewhere
 *   run/                                                    Unix sockets, and what the running appliance was started with
 *   logs/                                                   the newest log lines of each role; written by the supervisor
 *   secrets/                                                the site key; may lie elsewhere by configuration
 */

import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export type Paths = {
  readonly data: string;
  readonly journalOpen: string;
  readonly journalFinished: string;
  /** Further journal roots, most preferred first, each with `open` and `finished` in it. */
  readonly journalSpares: readonly string[];
  readonly state: string;
  readonly plan: string;
  readonly catalog: string;
  readonly index: string;
  readonly objects: string;
  /** Uploads while they are imported; emptied at each start. */
  readonly imports: string;
  /** A copy of what is read back from a store elsewhere while it moves. */
  readonly moving: string;
  readonly run: string;
  readonly logs: string;
  readonly secrets: string;
  readonly tls: string;
};

/** Where segment files lie until the object store has them. */
export type JournalPaths = Pick<Paths, 'journalOpen' | 'journalFinished'> & Partial<Pick<Paths, 'journalSpares'>>;

export type JournalRoot = { readonly root: string; readonly open: string; readonly finished: string };

/** The journal's directories, most preferred first: whoever looks for files looks in all of them. */
export function journalRoots(paths: JournalPaths): readonly JournalRoot[] {
  const { journalOpen: open, journalFinished: finished, journalSpares = [] } = paths;
  const spares = journalSpares.map((root) => ({ root, open: join(root, 'open'), finished: join(root, 'finished') }));
  return [{ root: dirname(open), open, finished }, ...spares];
}

export type PathOverrides = {
  readonly journal?: string | undefined;
  readonly journalSpares?: readonly string[] | undefined;
  readonly objects?: string | undefined;
  readonly secrets?: string | undefined;
};

/** Unix socket paths have 107 bytes on Linux: a deep data directory gets its sockets under the temporary directory. */
const socketPathBytesMax = 107;

export function pathsUnder(data: string, overrides: PathOverrides = {}): Paths {
  const journal = overrides.journal ?? join(data, 'journal');
  const run = join(data, 'run');
  const isTooLong = Buffer.byteLength(join(run, 'ingest-99.sock')) > socketPathBytesMax;
  return {
    data,
    journalOpen: join(journal, 'open'),
    journalFinished: join(journal, 'finished'),
    journalSpares: overrides.journalSpares ?? [],
    state: join(data, 'state'),
    plan: join(data, 'state', 'plan.json'),
    catalog: join(data, 'db', 'catalog.sqlite'),
    index: join(data, 'db', 'index.sqlite'),
    objects: overrides.objects ?? join(data, 'objects'),
    imports: join(data, 'imports'),
    moving: join(data, 'moving'),
    run: isTooLong ? join(tmpdir(), `weir-${createHash('sha256').update(data).digest('hex').slice(0, 16)}`) : run,
    logs: join(data, 'logs'),
    secrets: overrides.secrets ?? join(data, 'secrets'),
    tls: join(data, 'tls'),
  };
}
