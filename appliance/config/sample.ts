/** The sample file `docker/weir.sample.yaml`, written from the schema: `node appliance/config/sample.ts > docker/weir.sample.yaml`. */

import { stringify } from 'yaml';
import { type ConfigKey, configKeys, environmentName, flagName } from './schema.ts';

/** Every key with its meaning and default, all commented out, so that an unchanged copy changes nothing. */
export function sampleFile(): string {
  const lines = [
    '## Settings of Weir. Lies as weir.yaml in the data directory, or anywhere with --config.',
    '## Flags win over environment variables, those over this file, that over the defaults shown here.',
    '## A change takes effect at the next start unless the key says otherwise.',
  ];
  let above: readonly string[] = [];
  for (const key of configKeys()) {
    const sections = key.path.slice(0, -1);
    const indent = '  '.repeat(sections.length);
    lines.push('');
    for (const [depth, name] of sections.entries()) {
      const isOpen = above.slice(0, depth + 1).join('.') === sections.slice(0, depth + 1).join('.');
      if (!isOpen) lines.push(`# ${'  '.repeat(depth)}${name}:`);
    }
    above = sections;
    lines.push(...wrap(key.facts.description, 112 - indent.length).map((line) => `##${indent} ${line}`));
    if (key.facts.changeNeeds === 'nothing') lines.push(`##${indent} Takes effect at once.`);
    lines.push(`##${indent} ${environmentName(key)}, --${flagName(key)}`);
    lines.push(`# ${indent}${key.path.at(-1)}: ${shownValue(key)}`);
  }
  return `${lines.join('\n')}\n`;
}

function shownValue(key: ConfigKey): string {
  if (key.facts.example !== undefined) return key.facts.example;
  return stringify(key.defaultValue).trim();
}

function wrap(text: string, columns: number): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? '';
    if (line === '') lines[lines.length - 1] = word;
    else if (line.length + 1 + word.length <= columns) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
}

if (import.meta.main) process.stdout.write(sampleFile());
