/**
 * Log lines for a person at a terminal: time of day, level, role, event, and the facts that matter as `name=value`. Sixty lines of
 * our own, since the package for it brings a dozen others. Programs get JSON: what is not a terminal is never formatted.
 */

const colours: Readonly<Record<string, string>> = { error: '\u001b[31m', warn: '\u001b[33m', debug: '\u001b[2m' };
const dim = '\u001b[2m';
const plain = '\u001b[0m';

/** One JSON line of ours as text; anything else as it is. */
export function logLineToText(line: string): string {
  const record = parsed(line);
  if (record === undefined) return line;
  const { level, time, role, event, error, ...facts } = record;
  const colour = colours[String(level)] ?? '';
  const head = `${dim}${timeOfDay(time)}${plain} ${colour}${String(level).padEnd(5)}${plain} ${String(role ?? '').padEnd(10)} ${String(event)}`;
  const shown = Object.entries(facts).map(([name, value]) => ` ${dim}${name}=${plain}${valueText(value)}`);
  return `${head}${shown.join('')}${error === undefined ? '' : errorText(error)}\n`;
}

function parsed(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Local: a person compares it with the clock on the wall. */
function timeOfDay(time: unknown): string {
  const date = new Date(String(time));
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => String(part).padStart(2, '0')).join(':');
}

function valueText(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  // What a stranger sent must not steer the terminal.
  const safe = text.replace(/\p{Cc}/gu, ' ');
  return typeof value === 'string' && /[\s=]/.test(text) ? `"${safe}"` : safe;
}

/** The message and those of its causes; the stack of what should not have happened below it. */
function errorText(error: unknown): string {
  if (!isRecord(error)) return ` ${valueText(error)}`;
  const messages: string[] = [];
  let stack = '';
  for (let one: unknown = error; isRecord(one); one = one.cause) {
    messages.push(valueText(String(one.message)).replace(/^"|"$/g, ''));
    if (one === error && typeof one.stack === 'string')
      stack = one.stack
        .split('\n')
        .slice(1)
        .map((at) => `\n${at}`)
        .join('');
  }
  return `: ${messages.join('; ')}${stack}`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
