/** Imports that end as soon as they were taken: what the routes say of them is the test's subject. */

import type { ServeDeps } from '../../../appliance/admin/index.ts';

type FileImports = ServeDeps['imports'];
type Status = ReturnType<FileImports['list']>[number];

export function fakeImports(): FileImports {
  const made = new Map<string, Status>();
  return {
    create: async ({ body, admit, streamId, name, at }) => {
      let fileBytes = 0;
      for await (const chunk of body) fileBytes += chunk.length;
      const atMs = at === 'file' ? 1_000 : at;
      await admit({ beginMs: atMs, endMs: atMs + 1_000 });
      const status: Status = {
        ...{ importId: fileBytes.toString(16).padStart(20, '0'), streamId, name, state: 'done', fileBytes, atMs },
        ...{ fragments: 1, bytes: fileBytes, alreadyThere: 0, skipped: 0, mediaMs: 1_000, durationMs: 1_000 },
        ...{ beginMs: atMs, endMs: atMs + 1_000, notes: [], dropped: {}, fault: undefined },
        ...{ startedMs: 1, endedMs: 2, remainingMs: undefined },
      };
      made.set(status.importId, status);
      return status;
    },
    list: (streamId) => [...made.values()].filter((status) => status.streamId === streamId),
    find: (importId) => made.get(importId),
    cancel: (importId) => made.delete(importId),
  };
}
