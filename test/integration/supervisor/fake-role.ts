/** Stands for a role in tests of its parent: writes what it hears to `$FAKE_ROLE_LOG`, and behaves as its name says. */

import { appendFileSync } from 'node:fs';

const [, name = ''] = process.argv.slice(2);
const write = (event: string, facts: object = {}) => {
  try {
    appendFileSync(
      process.env.FAKE_ROLE_LOG ?? '/dev/null',
      `${JSON.stringify({ ...facts, name, pid: process.pid, event })}\n`,
    );
  } catch {
    // The test and its directory are gone already.
  }
};

// The parent may be gone while we speak.
const ignore = () => {};

process.on('SIGINT', ignore);
process.on('SIGTERM', () => {
  write('term');
  if (name !== 'stubborn') process.exit(0);
});
process.on('disconnect', () => {
  write('disconnected');
  process.exit(0);
});
process.on('message', (message: { type: string; id?: number }) => {
  if (message.type === 'ping') {
    process.send?.({ type: 'pong', id: message.id }, ignore);
    return;
  }
  write(message.type, message);
  if (message.type !== 'start') return;
  if (name === 'failing' || name === process.env.FAKE_ROLE_FAILING) {
    process.send?.({ type: 'failed', code: 'unavailable', message: 'the port is taken', hint: 'free it' }, () =>
      process.exit(1),
    );
    return;
  }
  process.send?.({ type: 'ready' }, ignore);
  if (name === 'serve') process.send?.({ type: 'notice', lines: ['hello'] }, ignore);
});
process.on('SIGUSR2', () => process.send?.({ type: 'plan-changed' }, ignore));
process.on('SIGHUP', () => process.send?.({ type: 'onvif-wanted' }, ignore));
