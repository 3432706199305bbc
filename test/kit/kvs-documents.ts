/**
 * What GetMedia answers, taken apart by a reader of the tests' own that knows EBML and nothing of ours. It is strict: each
 * document has to be laid out as clients expect it, element by element.
 */

export type KvsDocument = {
  /** From the EBML head to the last byte before our first Tags. */
  readonly head: Buffer;
  /** Tags of the service before the cluster, in their order. */
  readonly before: Readonly<Record<string, string>>;
  /** The producer's own tags. */
  readonly user: readonly { readonly name: string; readonly value: string }[];
  /** The whole Cluster element. */
  readonly cluster: Buffer;
  readonly timecode: number;
  /** Tags of the service after the cluster. */
  readonly after: Readonly<Record<string, string>>;
};

/** A document that tells why the body ends: it has no cluster. */
export type KvsFault = { readonly head: Buffer; readonly before: Readonly<Record<string, string>> };

type Element = { readonly id: number; readonly begin: number; readonly body: number; readonly end: number };

const ids = {
  ebml: 0x1a45dfa3,
  segment: 0x18538067,
  tracks: 0x1654ae6b,
  tags: 0x1254c367,
  tag: 0x7373,
  simpleTag: 0x67c8,
  tagName: 0x45a3,
  tagString: 0x4487,
  cluster: 0x1f43b675,
  timecode: 0xe7,
} as const;

const ebmlMagic = Buffer.of(0x1a, 0x45, 0xdf, 0xa3);

/** Where documents begin, as a client finds them that looks for the EBML head alone. */
export function splitAtEbmlHeads(bytes: Buffer): Buffer[] {
  const begins: number[] = [];
  for (let at = bytes.indexOf(ebmlMagic); at !== -1; at = bytes.indexOf(ebmlMagic, at + 4)) begins.push(at);
  return begins.map((begin, i) => bytes.subarray(begin, begins[i + 1]));
}

/** All documents of a body. @throws when one is laid out otherwise, or is cut off */
export function readDocuments(bytes: Buffer): KvsDocument[] {
  const { documents, fault } = readBody(bytes);
  if (fault !== undefined) throw new Error(`the body ends with a fault: ${JSON.stringify(fault.before)}`);
  return documents;
}

/** As `readDocuments`, of a body that may end with a fault. */
export function readBody(bytes: Buffer): { readonly documents: KvsDocument[]; readonly fault: KvsFault | undefined } {
  const documents: KvsDocument[] = [];
  for (let at = 0; at < bytes.length; ) {
    const { document, end } = readDocument(bytes, at);
    at = end;
    if ('cluster' in document) documents.push(document);
    else if (end !== bytes.length) throw new Error('a fault is the last document');
    else return { documents, fault: document };
  }
  return { documents, fault: undefined };
}

/** Whole documents of a body that has not ended, and where the next one begins. */
export function wholeDocuments(bytes: Buffer): { readonly documents: KvsDocument[]; readonly end: number } {
  const documents: KvsDocument[] = [];
  let at = 0;
  try {
    while (at < bytes.length) {
      const { document, end } = readDocument(bytes, at);
      if (!('cluster' in document)) throw new Error(`a fault: ${JSON.stringify(document.before)}`);
      // Tags after a cluster may still come.
      if (Object.keys(document.after).length === 0) break;
      documents.push(document);
      at = end;
    }
  } catch (error) {
    if (!(error instanceof CutOff)) throw error;
  }
  return { documents, end: at };
}

class CutOff extends Error {}

function readDocument(bytes: Buffer, begin: number): { document: KvsDocument | KvsFault; end: number } {
  const ebml = elementAt(bytes, begin);
  expectId(ebml, ids.ebml);
  const segment = elementAt(bytes, ebml.end);
  expectId(segment, ids.segment);
  if (segment.end !== Number.POSITIVE_INFINITY) throw new Error('the segment tells a size');
  let at = segment.body;
  const served: Record<string, string>[] = [];
  let user: { name: string; value: string }[] = [];
  let headEnd: number | undefined;
  let hasTracks = false;
  let cluster: { begin: number; end: number; timecode: number } | undefined;
  while (at < bytes.length) {
    const next = elementAt(bytes, at);
    if (next.id === ids.ebml) break;
    if (next.id === ids.cluster) {
      if (cluster !== undefined) throw new Error('a document has one cluster');
      cluster = readCluster(bytes, next);
      at = cluster.end;
      continue;
    }
    if (next.end === Number.POSITIVE_INFINITY) throw new Error(`element ${next.id.toString(16)} tells no size`);
    if (next.end > bytes.length) throw new CutOff();
    if (next.id === ids.tracks) hasTracks = true;
    if (next.id === ids.tags) {
      const tags = readTags(bytes, next);
      const isServed = tags.every(({ name }) => name.startsWith('AWS_KINESISVIDEO_'));
      if (isServed && tags.length > 0 && (served.length === 0 || cluster !== undefined)) {
        headEnd ??= next.begin;
        served.push(Object.fromEntries(tags.map(({ name, value }) => [name, value])));
      } else if (headEnd !== undefined && cluster === undefined) user = [...user, ...tags];
      else if (headEnd !== undefined) throw new Error('tags of the producer stand before the cluster');
    } else if (headEnd !== undefined) throw new Error(`element ${next.id.toString(16)} stands behind the head`);
    at = next.end;
  }
  if (headEnd === undefined) throw at >= bytes.length ? new CutOff() : new Error('a document has tags of the service');
  const head = bytes.subarray(begin, headEnd);
  const [before = {}, after = {}, ...more] = served;
  if (more.length > 0) throw new Error('tags of the service stand once before and once after the cluster');
  if (cluster === undefined) {
    if (before.AWS_KINESISVIDEO_ERROR_ID === undefined) throw new CutOff();
    return { document: { head, before }, end: at };
  }
  if (!hasTracks) throw new Error('a document has tracks');
  const { timecode } = cluster;
  return {
    document: { head, before, user, cluster: bytes.subarray(cluster.begin, cluster.end), timecode, after },
    end: at,
  };
}

/** A cluster of unknown size ends before the next element that stands in no cluster. */
function readCluster(bytes: Buffer, cluster: Element): { begin: number; end: number; timecode: number } {
  let timecode: number | undefined;
  let at = cluster.body;
  const isEnd = (id: number) => id === ids.tags || id === ids.ebml || id === ids.cluster;
  const limit = Math.min(cluster.end, bytes.length);
  if (cluster.end !== Number.POSITIVE_INFINITY && cluster.end > bytes.length) throw new CutOff();
  while (at < limit) {
    const child = elementAt(bytes, at);
    if (isEnd(child.id)) break;
    if (child.end > bytes.length) throw new CutOff();
    if (child.id === ids.timecode) timecode = Number(`0x${bytes.subarray(child.body, child.end).toString('hex')}`);
    at = child.end;
  }
  if (timecode === undefined) throw at >= bytes.length ? new CutOff() : new Error('a cluster has a timecode');
  return { begin: cluster.begin, end: at, timecode };
}

function readTags(bytes: Buffer, tags: Element): { name: string; value: string }[] {
  const result: { name: string; value: string }[] = [];
  for (const tag of children(bytes, tags)) {
    if (tag.id !== ids.tag) continue;
    for (const simple of children(bytes, tag)) {
      if (simple.id !== ids.simpleTag) continue;
      const parts = new Map(
        children(bytes, simple).map(({ id, body, end }) => [id, bytes.subarray(body, end).toString('utf8')]),
      );
      result.push({ name: parts.get(ids.tagName) ?? '', value: parts.get(ids.tagString) ?? '' });
    }
  }
  return result;
}

function children(bytes: Buffer, parent: Element): Element[] {
  const result: Element[] = [];
  for (let at = parent.body; at < parent.end; ) {
    const child = elementAt(bytes, at);
    if (child.end > parent.end) throw new Error('an element runs past its parent');
    result.push(child);
    at = child.end;
  }
  return result;
}

function elementAt(bytes: Buffer, at: number): Element {
  const idLength = Math.clz32(bytes[at] ?? 0) - 23;
  const sizeAt = at + idLength;
  if (at >= bytes.length || sizeAt >= bytes.length) throw new CutOff();
  if (idLength > 4) throw new Error(`no element at ${at}`);
  const sizeLength = Math.clz32(bytes[sizeAt] ?? 0) - 23;
  if (sizeLength > 8) throw new Error(`no size at ${sizeAt}`);
  const body = sizeAt + sizeLength;
  if (body > bytes.length) throw new CutOff();
  const id = bytes.readUIntBE(at, idLength);
  let size = BigInt((bytes[sizeAt] ?? 0) & (0xff >> sizeLength));
  for (let i = sizeAt + 1; i < body; i++) size = (size << 8n) | BigInt(bytes[i] ?? 0);
  const isUnknown = size === (1n << BigInt(7 * sizeLength)) - 1n;
  return { id, begin: at, body, end: isUnknown ? Number.POSITIVE_INFINITY : body + Number(size) };
}

function expectId(element: Element, id: number): void {
  if (element.id !== id) throw new Error(`element ${element.id.toString(16)} stands where ${id.toString(16)} should`);
}
