/** STUN, for peers of KVS channels where no TURN server is configured. See README.md. */

export { StunAnswerer } from './stun-answerer.ts';
