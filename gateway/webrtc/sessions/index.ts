/** WHEP and WHIP sessions: an offer in, an answer out, and a peer's life after that. No HTTP. */

export type { Publication, Receiver, Reception } from './publication.ts';
