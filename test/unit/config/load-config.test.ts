import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../../appliance/config/index.ts';
import { sampleFile } from '../../../appliance/config/sample.ts';
import { temporaryDirectory } from '../../kit/temp.ts';

type Given = { file?: string; flags?: Record<string, string>; environment?: Record<string, string> };

async function load(given: Given = {}) {
  const directory = await temporaryDirectory();
  await mkdir(join(directory, 'data'));
  if (given.file !== undefined) await writeFile(join(directory, 'data', 'weir.yaml'), given.file);
  const config = await loadConfig({
    flags: given.flags ?? {},
    environment: given.environment ?? {},
    workingDirectory: directory,
    installDirectory: directory,
  });
  return { config, directory };
}

describe('configuration', () => {
  it('has a default for everything', async () => {
    const { config, directory } = await load();

    expect(config.dataDirectory).toBe(join(directory, 'data'));
    expect(config.listen).toEqual({ address: '0.0.0.0', port: 8443 });
    expect(config.tls.mode).toBe('own');
    expect(config.storage.bytesMax).toBeUndefined();
  });

  it('takes flags over the environment, that over the file', async () => {
    const file = 'listen:\n  port: 1\n  address: 127.0.0.1\nlogLevel: warn\n';

    const { config } = await load({
      file,
      environment: { WEIR_LISTEN_PORT: '2', WEIR_LOG_LEVEL: 'debug' },
      flags: { 'listen.port': '3' },
    });

    expect(config.listen).toEqual({ address: '127.0.0.1', port: 3 });
    expect(config.logLevel).toBe('debug');
  });

  it('reads sizes as people write them', async () => {
    const { config } = await load({ file: 'storage:\n  bytesMax: 1.5 TB\n  hotBytesMax: 2GiB\n' });

    expect(config.storage).toEqual({ bytesMax: 1_500_000_000_000, hotBytesMax: 2 * 1024 ** 3 });
  });

  it('resolves paths of a file against the file', async () => {
    const { config, directory } = await load({ file: 'objects:\n  directory: archive\n' });

    expect(config.objects.directory).toBe(join(directory, 'data', 'archive'));
  });

  it('refuses one directory or bucket that several stores name, however it is written', async () => {
    const store = (name: string, place: string) => `    - { name: ${name}, ${place} }\n`;
    const directory = (name: string, path: string) => store(name, `kind: directory, directory: ${path}`);
    const bucket = (name: string, endpoint: string, prefix: string) =>
      store(name, `kind: s3, s3: { endpoint: "${endpoint}", bucket: weir, prefix: "${prefix}", accessKey: weir }`);
    const loadStores = (...stores: string[]) => load({ file: `objects:\n  stores:\n${stores.join('')}` });

    await expect(loadStores(directory('ssd', '/mnt/a'), directory('hdd', '/mnt/b/../a/'))).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining('weir.yaml: objects.stores has one directory twice: ssd and hdd'),
      context: { key: 'objects.stores' },
    });
    await expect(
      loadStores(
        directory('ssd', '/mnt/a'),
        bucket('near', 'https://S3.example.org', ''),
        bucket('far', 'https://s3.example.org:443', ''),
      ),
    ).rejects.toThrow('objects.stores has one bucket twice: near and far');
    await expect(loadStores(bucket('near', 'nonsense', ''), directory('hdd', '/mnt/a'))).rejects.toThrow(
      'must be an http',
    );

    const { config } = await loadStores(
      directory('ssd', '/mnt/a'),
      directory('hdd', '/mnt/a2'),
      bucket('near', 'https://s3.example.org', 'near/'),
      bucket('far', 'https://s3.example.org', 'far/'),
    );
    expect(config.objects.stores.map(({ name }) => name)).toEqual(['ssd', 'hdd', 'near', 'far']);
  });

  it('resolves paths of a list one by one', async () => {
    const { config, directory } = await load({ file: 'journal:\n  spareDirectories: [spare, /mnt/b]\n' });
    const flags = { 'journal.spareDirectories': '[spare, /mnt/b]' };

    expect(config.journal.spareDirectories).toEqual([join(directory, 'data', 'spare'), '/mnt/b']);
    expect((await load({ flags })).config.journal.spareDirectories[1]).toBe('/mnt/b');
  });

  it('reads lists and booleans from text', async () => {
    const { config } = await load({
      flags: { 'tls.names': '[a.example, 10.0.0.1]', 'tls.allowPlainBeyondLoopback': 'true' },
    });

    expect(config.tls.names).toEqual(['a.example', '10.0.0.1']);
    expect(config.tls.allowPlainBeyondLoopback).toBe(true);
  });

  it('takes an empty file and one of comments only', async () => {
    await expect(load({ file: '' })).resolves.toBeDefined();
    await expect(load({ file: sampleFile() })).resolves.toBeDefined();
  });
});

describe('a mistake in the configuration', () => {
  const cases: [string, Given, RegExp, string | undefined][] = [
    ['an unknown key', { file: 'weather:\n  rain: 1\n' }, /the key weather is not known/, undefined],
    [
      'a section that lacks a letter',
      { file: 'lisen:\n  port: 1\n' },
      /the key lisen is not known/,
      'did you mean listen?',
    ],
    ['a section with one too many', { file: 'listenn:\n  port: 1\n' }, /listenn is not known/, 'did you mean listen?'],
    [
      'a misspelt section in a section',
      { file: 'objects:\n  s4: {}\n' },
      /objects\.s4 is not/,
      'did you mean objects.s3?',
    ],
    [
      'a misspelt key',
      { file: 'listen:\n  prot: 1\n' },
      /the key listen\.prot is not known/,
      'did you mean listen.port?',
    ],
    [
      'a misspelt variable',
      { environment: { WEIR_LOGLEVEL: 'info' } },
      /WEIR_LOGLEVEL is not known/,
      'did you mean WEIR_LOG_LEVEL?',
    ],
    [
      'a number out of range',
      { flags: { 'listen.port': '70000' } },
      /^--listen-port: listen\.port must be at most 65535, not 70000/,
      undefined,
    ],
    [
      'a word for a number',
      { environment: { WEIR_LISTEN_PORT: 'web' } },
      /^WEIR_LISTEN_PORT: listen\.port must be a number, not "web"/,
      undefined,
    ],
    [
      'a wrong choice',
      { file: 'logLevel: loud\n' },
      /weir\.yaml: logLevel must be one of error, warn, info, debug, not "loud"/,
      undefined,
    ],
    [
      'a wrong size',
      { file: 'storage:\n  bytesMax: plenty\n' },
      /storage\.bytesMax must be a size such as 500 GB/,
      undefined,
    ],
    [
      'a wrong address',
      { file: 'listen:\n  address: here\n' },
      /listen\.address must be an IP address, not "here"/,
      undefined,
    ],
    ['a wrong zone', { file: 'timeZone: Mars\n' }, /timeZone must be an IANA time zone/, undefined],
    [
      'plain on the network',
      { file: 'tls:\n  mode: plain\n' },
      /tls\.mode may be plain on a loopback address only/,
      undefined,
    ],
    [
      'a missing partner',
      { file: 'tls:\n  mode: files\n' },
      /tls\.certificateFile is needed for tls\.mode files/,
      undefined,
    ],
    ['no mapping', { file: '- a\n' }, /must be keys and values/, undefined],
    ['no YAML', { file: 'a: [\n' }, /weir\.yaml: /, undefined],
  ];

  it.each(cases)('is named: %s', async (_what, given, message, hint) => {
    const failure = load(given);

    await expect(failure).rejects.toMatchObject({ code: 'invalid_argument', message: expect.stringMatching(message) });
    if (hint !== undefined) await expect(failure).rejects.toMatchObject({ hint });
  });

  it('names a configuration file that is not there', async () => {
    const input = { flags: {}, environment: {}, configFile: 'no.yaml', workingDirectory: '/', installDirectory: '/' };

    await expect(loadConfig(input)).rejects.toMatchObject({
      message: 'the configuration file /no.yaml is not there',
    });
  });
});

it('the sample file is what the schema says', async () => {
  const sample = await readFile(join(import.meta.dirname, '../../../docker/weir.sample.yaml'), 'utf8');

  expect(sample).toBe(sampleFile());
});
