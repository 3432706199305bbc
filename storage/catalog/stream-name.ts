/** What a camera's stream is called towards KVS clients. */

/** Leaves room for a suffix below the 256 characters that KVS allows. */
const nameCharactersMax = 200;

/**
 * A KVS stream name (a-zA-Z0-9_.-) that resembles the camera's name and is not in `taken`: letters lose their accents, other
 * runs become one hyphen, and a number follows when the name is taken.
 */
export function streamNameFor(cameraName: string, taken: ReadonlySet<string>): string {
  const plain = cameraName
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/[^a-zA-Z0-9_.-]+/g, '-')
    .replace(/^[-.]+|[-.]+$/g, '')
    .slice(0, nameCharactersMax);
  const base = plain === '' ? 'camera' : plain;
  let name = base;
  for (let suffix = 2; taken.has(name); suffix++) name = `${base}-${suffix}`;
  return name;
}
