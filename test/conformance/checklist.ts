/** What a program written for Kinesis Video Streams may rely on, point by point. Tests name the points that they prove, by number. */

export type Part =
  | 'Control plane'
  | 'Authentication'
  | 'PutMedia'
  | 'GetMedia and fragments'
  | 'Playback'
  | 'Signalling and WebRTC'
  | 'Delivery and operations';

export type Point = { readonly number: number; readonly part: Part; readonly text: string };

const parts: Readonly<Record<Part, readonly (readonly [first: number, texts: readonly string[]])[]>> = {
  'Control plane': [
    [
      1,
      [
        'CreateStream answers an ARN that ends with 13 digits; the same name again is ResourceInUse',
        'DescribeStream tells the same by name and by ARN, retention 0 included',
        'CreationTime is the time in the ARN',
        'An unknown stream is 404 ResourceNotFound, as a typed exception',
        'Neither name nor ARN is InvalidArgument',
        'A name outside of its alphabet or length is InvalidArgument',
        'UpdateStream needs the current version, which changes by it',
        'UpdateDataRetention adds and takes hours; what is older than less hours is gone at once',
        'DeleteStream: 404 from then on; a stream of that name made anew has another ARN and nothing of the old one',
        'DeleteStream with another version is VersionMismatch',
        'ListStreams: pages, tokens that end, names that begin with',
        'Tags of streams: Unicode, 50 at most, unknown keys ignored',
        'TagResource, UntagResource and ListTagsForResource, in that spelling',
        'GetDataEndpoint for all eight APIs, without a slash at the end',
        'Storage tiers are told and changed, HOT at first',
        'Signalling channels: made, told, listed, changed, removed',
        'Endpoints of a channel: one for each protocol, other ones for master and viewer',
        'The protocol WEBRTC needs media storage',
        'Media storage needs a retention, and is told from the side of the stream too',
        'A channel without media storage tells DISABLED',
        'A configuration that is left out is removed',
        'Image generation: bounds of interval, width and format',
        'Edge configurations: SYNCING, in use meanwhile, 404 without one',
        'Members that nobody knows are ignored, no body is an empty one',
        'Each answer has a request id and a date',
      ],
    ],
  ],
  Authentication: [
    [
      26,
      [
        'Signatures of the SDKs, with and without session token, path prefix, port',
        'A body that is only hashed into the signature is verified by it',
        'Producer C: hash of no bytes, hop-by-hop headers signed, host without port',
        'Producer Java: UNSIGNED-PAYLOAD, though not signed; SDK for Java v1: STREAMING',
        'Presigned URLs with a session token inside; altered or expired 403',
        'More than 15 minutes off is refused, with the words that clients look for',
        'What is not signed is 403 with a name, never silence',
      ],
    ],
  ],
  PutMedia: [
    [
      33,
      [
        'Expect: 100-continue is answered',
        'The head of the answer comes before the first fragment is whole',
        'A target in absolute form is taken',
        'Streams are named by name or ARN, one of them is needed',
        'All forms of the start timestamp, and none of garbage',
        'RELATIVE and ABSOLUTE timecodes, any TimecodeScale',
        'BUFFERING, RECEIVED and PERSISTED once for each fragment; PERSISTED only where something is kept',
        'Acknowledgements without blanks, each in a chunk of its own, 1024 bytes at most',
        'The timecode of an acknowledgement is the one that was sent',
        'Fragment numbers have 47 digits and rise over connections and restarts',
        'IDLE within 30 s of silence, then the end',
        'Clusters of unknown size end by whatever follows; any split of the bytes is the same',
        'Files of ffmpeg and GStreamer, with all that lies beside clusters',
        'SimpleBlock and BlockGroup are frames',
        'Tags before a cluster are its own; the end-of-fragment tag closes it at once',
        'Too many or too long tags are 4009',
        'Frames of an undeclared track 4010, a track without frames 4011, four tracks 4012',
        'A second Segment, late Tracks or garbage are 4006',
        'A timecode that does not rise is 4004',
        'Too large is 4001, too long is 4002',
        'A connection that is too old is 4003, with a clean end',
        'A stream that is deleted meanwhile is 4008, with a clean end',
        'Short fragments are stored',
        'Bodies with a length; the answer ends with all acknowledgements',
        'The last fragment is persisted before the answer ends',
        'After a broken connection all whole fragments are there, and nothing else',
        'Two connections of one producer lose nothing; more are refused',
        'Long uploads at full speed: flat memory, quick acknowledgements',
        'kvssink by CONTROL_PLANE_URI',
        'Acknowledgements that nobody wants are not sent',
        'HTTP/2 is never offered',
      ],
    ],
  ],
  'GetMedia and fragments': [
    [
      64,
      [
        'An empty stream: the head at once, the body later',
        'Each start selector; what it needs is asked for',
        'Each fragment begins with the EBML header, the same for a whole session',
        'Tags before and after each cluster, by name and form',
        'A continuation token resumes without a gap or a double',
        'New fragments reach live readers without polling',
        'A failure in the middle is told by error tags, then the end',
        'Readers beyond the limit are refused',
        'The parser library for Java',
        'The consumer library for Python finds each fragment',
        'ListFragments: inclusive ranges, both selectors, a page by its token alone, an empty range',
        'Sizes and lengths add up',
        'GetMediaForFragmentList: exactly those; unknown or too many are refused',
        "Producers' tags come back byte for byte",
      ],
    ],
  ],
  Playback: [
    [
      78,
      [
        'LIVE without a fragment in the last 30 s is 404',
        'Ranges that a mode needs, or may not have',
        'Expiry: its bounds, and 403 on all resources after it',
        'The master playlist tells codecs, resolution, rate, bandwidth and sound',
        'Players play LIVE, LIVE_REPLAY and ON_DEMAND, in fMP4 and MPEG-TS',
        'Discontinuities by mode, with the defaults of each selector',
        'PROGRAM-DATE-TIME only when asked for, and right',
        'ON_DEMAND ends and has the oldest, LIVE has the newest and counts on',
        'LIVE_REPLAY goes on by the clock, and ends at its end',
        'Of equal producer times HLS has the newest, DASH the first passage',
        'Other codec data: HLS goes on, DASH and GetClip refuse',
        'No codec data, a codec that cannot be played, no retention: each by its name',
        'DASH plays; times and numbers of fragments only when asked for',
        'GetClip: an MP4 within its bounds; nothing there is 404',
        'GetImages: formats, sizes, intervals, pages, entries without media',
        'CORS for playback and API, request id and error readable',
      ],
    ],
  ],
  'Signalling and WebRTC': [
    [
      94,
      [
        'GetIceServerConfig: TURN servers that take the credentials until they expire',
        'The SDK for JavaScript as master and viewer',
        'The messages and URLs of the SDK for C, as a master; it connects to port 443 alone',
        'A new master, or viewer of the same id, replaces the old one',
        'Messages wait for who is not there, for their time',
        'Messages that are wrong are told, and cost no connection',
        'GO_AWAY, idle time, pings',
        'What is wrong with a connection is told before the upgrade',
        'A storage session is recorded',
        'A storage session has viewers',
        'An answer without H.264 is refused by a message',
        'With storage no offer of a viewer reaches the master',
      ],
    ],
  ],
  'Delivery and operations': [
    [
      106,
      [
        'Fragments that are tagged for it become images, with key and metadata as documented',
        'Fragments that are tagged for it become one notification, after they are persisted',
        'Metrics by their names',
        'Quotas are enforced by their names, the newest loses',
        'A restart keeps streams, versions, fragments, tokens and numbers',
      ],
    ],
  ],
};

export const checklist: readonly Point[] = Object.entries(parts).flatMap(([part, runs]) =>
  runs.flatMap(([first, texts]) => texts.map((text, i): Point => ({ number: first + i, part: part as Part, text }))),
);
