/** Samples of CMAF chunks of one track, read back by the standard alone: times in ticks of the track. */

export type ChunkSample = {
  readonly decodeTime: number;
  readonly duration: number;
  readonly offset: number;
  readonly flags: number;
  readonly hex: string;
};

/** @param bytes  any number of moof and mdat, one after the other */
export function samplesOfChunks(bytes: Uint8Array): ChunkSample[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const samples: ChunkSample[] = [];
  const walk = (begin: number, end: number, visit: (type: string, begin: number, end: number) => void) => {
    for (let at = begin; at < end; at += view.getUint32(at)) {
      visit(String.fromCharCode(...bytes.subarray(at + 4, at + 8)), at, at + view.getUint32(at));
    }
  };
  walk(0, bytes.length, (type, moof, moofEnd) => {
    if (type !== 'moof') return;
    walk(moof + 8, moofEnd, (inMoof, traf, trafEnd) => {
      if (inMoof !== 'traf') return;
      let decodeTime = 0;
      walk(traf + 8, trafEnd, (inTraf, at) => {
        if (inTraf === 'tfdt') decodeTime = Number(view.getBigUint64(at + 12));
        if (inTraf !== 'trun') return;
        let data = moof + view.getInt32(at + 16);
        for (let i = 0; i < view.getUint32(at + 12); i++) {
          const row = at + 20 + 16 * i;
          const byteLength = view.getUint32(row + 4);
          samples.push({
            decodeTime,
            duration: view.getUint32(row),
            flags: view.getUint32(row + 8),
            offset: view.getInt32(row + 12),
            hex: Buffer.from(bytes.subarray(data, data + byteLength)).toString('hex'),
          });
          decodeTime += view.getUint32(row);
          data += byteLength;
        }
      });
    });
  });
  return samples;
}
