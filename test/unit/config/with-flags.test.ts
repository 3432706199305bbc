import { expect, it } from 'vitest';
import { loadConfig, readConfig, withFlags } from '../../../appliance/config/index.ts';

const given = (flags: Readonly<Record<string, string>>) =>
  loadConfig({
    flags: { dataDirectory: '/srv/weir', ...flags },
    environment: {},
    workingDirectory: '/',
    installDirectory: '/',
  });

it('flags win over a whole configuration, and the rest of it stays', async () => {
  const config = await given({ 'listen.port': '443', 'rtsp.port': '554', 'storage.bytesMax': '2 TB' });

  const changed = withFlags(config, {
    flags: { 'listen.port': '444', 'journal.directory': 'disk' },
    workingDirectory: '/mnt',
  });

  expect(changed).toEqual({
    ...config,
    listen: { ...config.listen, port: 444 },
    journal: { ...config.journal, directory: '/mnt/disk' },
  });
  expect(config.listen.port).toBe(443);
});

it('a wrong flag is told by its name', async () => {
  const config = await given({});

  expect(() => withFlags(config, { flags: { 'listen.port': 'web' }, workingDirectory: '/' })).toThrow(
    '--listen-port: listen.port must be a number, not "web"',
  );
});

it('a whole configuration is the same after a way as JSON, and anything else is none', async () => {
  const config = await given({ 'storage.hotBytesMax': '16 GiB', 'cameras.allowedNetworks': '[10.20.0.0/16]' });

  expect(readConfig(JSON.parse(JSON.stringify(config)))).toEqual(config);
  for (const other of [undefined, null, 'text', { ...config, eyes: 2 }]) expect(readConfig(other)).toBeUndefined();
});
