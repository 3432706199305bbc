/** Why runs begin and end, and why seconds are missing: closed lists, since people and programs both decide by them. */

/** A run's end (and so the next one's beginning). Each is also a gap reason where time was lost. */
export const runEndReasons = {
  'source-closed': 'the camera closed the connection',
  'source-silent': 'the camera stayed connected and sent nothing',
  'source-error': 'the camera sent something that cannot be recorded',
  'connection-lost': 'the network connection to the camera broke',
  'tracks-changed': 'the camera changed codec, picture size or tracks',
  'track-silent': 'one track stopped, the run goes on without it',
  'track-returned': 'a track that had stopped came back',
  'time-jump': "the camera's media clock jumped",
  'clock-step': "this server's clock was set",
  'write-failed': 'the journal could not be written',
  'sync-failed': 'the disk did not confirm what was written',
  'journal-moved': 'the recording went back to its preferred journal directory',
  'disk-stalled': 'the disk was too slow for the recorder and its buffer was full',
  'camera-changed': 'the camera was edited',
  'camera-removed': 'the camera was removed or disabled',
  shutdown: 'the appliance was stopped',
  crashed: 'the recording process ended without warning',
} as const;

export type RunEndReason = keyof typeof runEndReasons;

/** Why a span was not recorded although it should have been. */
export const gapReasons = {
  ...runEndReasons,
  connecting: 'the first connection to the camera was not made yet',
  unreachable: 'the camera could not be reached',
  'no-publisher': 'no publisher was connected with the stream key',
  refused: 'the camera refused the connection',
  unauthorized: 'the camera refused user or password',
  'not-allowed': 'the address of the camera is none that this server may connect to',
  'not-found': 'the camera does not know the path of the URL',
  'unsupported-codec': 'no track of the camera can be recorded',
  'protocol-error': 'the camera broke the protocol',
  'packet-loss': 'packets were lost on the way from the camera',
  'disk-full': 'no place was left on the disk',
  'appliance-off': 'the appliance was not running',
  'torn-tail': 'the last fragment was incomplete after a crash or power loss',
  'data-lost': 'stored bytes disappeared or were damaged',
} as const;

export type GapReason = keyof typeof gapReasons;

/** The same of what a publisher sends: it may be a browser or a drone, and it is not we who connect. */
const publisherReasons: Readonly<Partial<Record<GapReason, string>>> = {
  'source-closed': 'the publisher ended its stream',
  'source-silent': 'the publisher sent nothing more',
  'source-error': 'the publisher sent something that cannot be recorded',
  'connection-lost': 'the connection to the publisher broke',
  'tracks-changed': 'the publisher changed codec, picture size or tracks',
  'time-jump': "the publisher's media clock jumped",
  connecting: 'no publisher has connected yet',
  'unsupported-codec': 'no track of the publisher can be recorded',
  'protocol-error': 'the publisher broke the protocol',
  'packet-loss': 'packets were lost on the way from the publisher',
};

/** A reason in words: lower case, without a period. */
export function gapReasonText(reason: GapReason, { isPublished }: { readonly isPublished: boolean }): string {
  return (isPublished ? publisherReasons[reason] : undefined) ?? gapReasons[reason];
}

/** Sources that connect to us when they like. */
export function isPublished(source: { readonly kind: string } | undefined): boolean {
  return source?.kind === 'rtmp' || source?.kind === 'whip';
}

/** Why a run began: what ended the one before it, what kept it from beginning, or that it was no camera's at all. */
export const runReasons = {
  ...gapReasons,
  import: 'footage was brought in from a file',
  'producer-connected': 'a KVS producer connected',
} as const;

export type RunReason = keyof typeof runReasons;

/**
 * True for footage that was brought in later: its numbers are of the day it came, its server time is its own. So it has its place
 * on a timeline by time alone, and it is never the newest of a stream.
 */
export function isImported(run: { readonly runReason: string }): boolean {
  return run.runReason === ('import' satisfies RunReason);
}

/**
 * True for footage that a KVS producer sent: its fragments have the server time of their arrival, and nobody knows when there should
 * have been more. So nothing between two of them is missing.
 */
export function isProduced(run: { readonly runReason: string }): boolean {
  return run.runReason === ('producer-connected' satisfies RunReason);
}
