/**
 * PutMedia: a producer is told by its head, which is signed, and its body goes byte for byte to the process that records the stream.
 *
 *   head -> stream, wish -> put =lane socket=> accepted -> 200 -> body, acknowledgements
 */

import type { Clock } from '../../../storage/base/clock.ts';
import { type AppError, appError, isAppError, toAppError } from '../../../storage/base/errors.ts';
import type { LaneClient, LanePut } from '../../../storage/lane/index.ts';
import { type PutMediaHead, parsePutMediaEvent } from '../../put-media/index.ts';
import { type KvsAnswer, type KvsCall, type KvsOperations, requireStream } from '../call.ts';
import { awsError } from '../errors.ts';
import { AckPipe, relay } from './relay.ts';
import { inputOfHeaders, wishOf } from './request.ts';

export type PutMediaDeps = {
  readonly clock: Clock;
  /** The process that records a stream. */
  readonly ownerOf: (streamId: string) => Pick<LaneClient, 'put'>;
};

const action = 'kinesisvideo:PutMedia';
/** A stream that was just made has not reached its owner yet, and an owner that died is back soon: producers wait 10 s for a head. */
const openMsMax = 5_000;
const openRetryMs = 100;

export function putMediaOperations(deps: PutMediaDeps): KvsOperations {
  return new Map([['/putMedia', { action, inputOfHeaders, run: (call: KvsCall) => putMedia(deps, call) }]]);
}

async function putMedia(deps: PutMediaDeps, call: KvsCall): Promise<KvsAnswer> {
  const stream = requireStream(call, action);
  const { timecodes, producerStartMs, wantsAcks } = wishOf(call.input);
  if (stream.feed !== 'kvs') {
    throw awsError('ResourceInUseException', 'The stream is fed by a camera, and takes no other media.');
  }
  const head: PutMediaHead = {
    ...{ kind: 'put-media', streamId: stream.id, requestId: call.requestId },
    ...{ timecodes, producerStartMs, wantsAcks },
  };
  const acks = new AckPipe();
  const over = new AbortController();
  const put = await openPut(deps, { head, acks, over: over.signal, signal: call.signal }).catch((error: unknown) => {
    over.abort();
    throw error;
  });
  return {
    kind: 'exchange',
    contentType: 'application/json',
    run: async (upload) => {
      try {
        await relay({ put, acks, upload }, { hasRetention: stream.retentionHours > 0 });
      } finally {
        over.abort();
      }
    },
  };
}

type Opening = {
  readonly head: PutMediaHead;
  readonly acks: AckPipe;
  readonly over: AbortSignal;
  /** The client is gone. */
  readonly signal: AbortSignal;
};

/** @throws AppError  as the client is to be told it */
async function openPut({ clock, ownerOf }: PutMediaDeps, opening: Opening): Promise<LanePut> {
  const owner = ownerOf(opening.head.streamId);
  const giveUpMs = clock.monotonicMs() + openMsMax;
  for (;;) {
    try {
      return await accepted(owner, { clock, ...opening });
    } catch (error) {
      const failure = toAppError(error);
      const isTransient = isAppError(failure, 'not_found') || isAppError(failure, 'unavailable');
      if (!isTransient || clock.monotonicMs() > giveUpMs || opening.signal.aborted) throw toldError(failure);
      await clock.sleep(openRetryMs);
    }
  }
}

/** Resolves when the owner has taken the put. */
function accepted(
  owner: Pick<LaneClient, 'put'>,
  { clock, head, acks, over }: Opening & { readonly clock: Clock },
): Promise<LanePut> {
  return new Promise((resolve, reject) => {
    let isAccepted = false;
    clock.after(openMsMax, () => reject(appError('deadline_exceeded', 'the recording process does not answer')));
    const onEvent = (value: unknown) => {
      const event = parsePutMediaEvent(value);
      if (event.kind === 'told') acks.push(event.acks);
      else {
        isAccepted = true;
        opened.then(resolve, reject);
      }
    };
    const opened = owner.put({ head, onEvent, signal: over });
    opened.then((put) => {
      put.outcome.then(
        () => {
          if (!isAccepted) reject(appError('unavailable', 'the recording process ended the upload'));
        },
        (error: unknown) => {
          put.close();
          reject(toAppError(error));
        },
      );
    }, reject);
  });
}

/** What makes producers do the right thing: wait their turn, leave the stream to its camera, or try again. */
function toldError(error: AppError): AppError {
  switch (error.code) {
    case 'resource_exhausted':
      return awsError('ConnectionLimitExceededException', 'Too many connections of producers to this stream.');
    case 'failed_precondition':
      return awsError('ResourceInUseException', 'The stream is fed by a camera, and takes no other media.');
    case 'not_found':
    case 'unavailable':
    case 'deadline_exceeded':
    case 'cancelled':
      return awsError('ServiceUnavailableException', 'The stream cannot take media just now. Try again.');
    default:
      return error;
  }
}
