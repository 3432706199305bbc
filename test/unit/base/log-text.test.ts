import { expect, test } from 'vitest';
import { createLog } from '../../../storage/base/log.ts';
import { logLineToText } from '../../../storage/base/log-text.ts';

/** What a person sees, without colours and the time of day. */
function shown(write: (log: ReturnType<typeof createLog>) => void): string {
  const lines: string[] = [];
  write(createLog({ level: 'debug', identity: { role: 'serve' }, destination: { write: (line) => lines.push(line) } }));
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are control characters.
  return logLineToText(lines.join('')).replace(/\u001b\[\d+m/g, '');
}

test('an event is one line: time of day, level, role, event and facts', () => {
  const text = shown((log) => log.info('serve listens', { port: 8443, isEncrypted: true, why: 'it was told to' }));

  expect(text).toMatch(
    /^\d\d:\d\d:\d\d info {2}serve {6}serve listens port=8443 isEncrypted=true why="it was told to"\n$/,
  );
});

test('an error says its message and its causes', () => {
  const error = new Error('cannot listen', { cause: new Error('port is taken') });

  const [first, second] = shown((log) => log.error('role fails', { error })).split('\n');

  expect(first).toMatch(/error serve {6}role fails: cannot listen; port is taken$/);
  expect(second).toMatch(/^ {4}at /);
});

test('what a stranger sent does not steer the terminal', () => {
  expect(shown((log) => log.warn('odd', { path: '/\u001b]0;x\u0007\r' }))).toContain('path="/ ]0;x  "');
});

test('a line of another kind stays as it is', () => {
  expect(logLineToText('Killed\n')).toBe('Killed\n');
});
