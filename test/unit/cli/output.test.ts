import { expect, test } from 'vitest';
import { Output } from '../../../appliance/cli/output.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { appError } from '../../../storage/base/errors.ts';

/** What a hostile device may call itself: it would rename the terminal's window, and C1's CSI would hide what follows. */
const hostile = 'Gate\u001b]0;owned\u0007\u009b8m\r\nroot';

function terminal() {
  let [out, err] = ['', ''];
  const output = new Output({
    terminal: {
      out: {
        write: (text) => {
          out += text;
        },
      },
      err: {
        write: (text) => {
          err += text;
        },
      },
    },
    clock: systemClock,
  });
  return { output, text: () => out + err };
}

test('what devices call themselves cannot steer the terminal', () => {
  const { output, text } = terminal();

  output.result({}, () => [`name  ${hostile}`]);
  output.line(hostile);
  output.note(hostile);
  output.failure(appError('unavailable', hostile, { hint: hostile }));

  expect(text()).not.toMatch(/[^\P{Cc}\n]/u);
  expect(text()).toContain('name  Gate ]0;owned');
});

test('nor can it in JSON, which stays what it is', () => {
  const { output, text } = terminal();
  output.isJson = true;

  output.result({ name: hostile }, () => []);

  expect(text()).not.toMatch(/[^\P{Cc}\n]/u);
  expect(JSON.parse(text())).toEqual({ name: hostile });
});

test('lines and tabs of texts that are ours stay', () => {
  const { output, text } = terminal();

  output.line('a:\n\tb');

  expect(text()).toBe('a:\n\tb\n');
});
