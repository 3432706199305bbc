/** How the keeper and what it keeps are doing: answered to `state` requests, shown to people. Plain values only. */

import type { Space } from './finished-files.ts';
import type { StoreHealth } from './store-gate.ts';

export type KeeperProblem = {
  readonly code:
    | 'index-unavailable'
    | 'index-rebuilding'
    | 'store-away'
    | 'store-another'
    | 'clock-doubt'
    | 'limit-short'
    | 'bytes-lost'
    /** Removed before the store had it, since no place was left. */
    | 'footage-given-up'
    | 'journal-away'
    | 'holds-unreadable'
    /** Each for itself: everything else goes on. */
    | 'files-unreadable'
    | 'files-unstorable'
    | 'bytes-undeletable'
    | 'segments-unmovable'
    /** Of several stores one takes nothing, so that segments stay in the store before it. */
    | 'moving-fails'
    | 'taking-in-fails'
    | 'storing-fails'
    | 'making-room-fails';
  /** Lower-case sentence with the facts. */
  readonly message: string;
  readonly hint: string | undefined;
  readonly sinceMs: number | undefined;
};

export type KeeperState = {
  readonly isIndexOpen: boolean;
  readonly rebuild: { readonly reason: string; readonly objects: number; readonly segments: number } | undefined;
  readonly store: StoreHealth;
  readonly clock: {
    readonly isTrusted: boolean;
    readonly reason: string | undefined;
    readonly stepMs: number | undefined;
  };
  /** Taken in and not stored yet. */
  readonly backlog: { readonly segments: number; readonly bytes: number };
  /** Finished files still kept on this machine, stored or not. */
  readonly localFiles: { readonly segments: number; readonly bytes: number };
  readonly garbage: { readonly segments: number; readonly bytes: number };
  readonly ring: { readonly files: number; readonly bytes: number };
  /** Finished files that are still to be taken in. */
  readonly untaken: number;
  readonly journalSpace: Space | undefined;
  readonly storeSpace: Space | undefined;
  readonly problems: readonly KeeperProblem[];
};
