import { expect, test } from 'vitest';
import { AddressPolicy, isLoopback, isNetwork } from '../../../storage/base/address-policy.ts';

function looked(policy: AddressPolicy, host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    policy.lookup(host, { all: true }, (error, found) => {
      if (error !== null) reject(error);
      else resolve(typeof found === 'string' ? found : found.map(({ address }) => address).join(' '));
    });
  });
}

test('without networks every address but that of cloud metadata is allowed', () => {
  const policy = new AddressPolicy({ networks: [] });

  const allowed = [
    '10.0.0.1',
    '127.0.0.1',
    '::1',
    '169.254.7.7',
    '2001:db8::1',
    '169.254.169.254',
    '::ffff:169.254.169.254',
    '64:ff9b::169.254.169.254',
    '169.254.170.2',
    '168.63.129.16',
    '100.100.100.200',
    '192.0.0.192',
    'fd00:ec2::254',
  ].filter((address) => policy.allows(address));

  expect(allowed).toEqual(['10.0.0.1', '127.0.0.1', '::1', '169.254.7.7', '2001:db8::1']);
});

test('with networks only their addresses are allowed, in either notation', () => {
  const policy = new AddressPolicy({ networks: ['10.20.0.0/16', '192.0.2.7', 'fd00:1::/32'] });

  const allowed = [
    '10.20.255.1',
    '10.21.0.1',
    '192.0.2.7',
    '192.0.2.8',
    '::ffff:10.20.0.1',
    'fd00:1:2::3',
    '::1',
  ].filter((address) => policy.allows(address));

  expect(allowed).toEqual(['10.20.255.1', '192.0.2.7', '::ffff:10.20.0.1', 'fd00:1:2::3']);
  expect(policy.refusalOf('10.21.0.1')).toMatchObject({ code: 'permission_denied' });
  expect(policy.refusalOf('camera.example')).toBeUndefined();
});

test('a name is judged by the addresses that it has', async () => {
  await expect(looked(new AddressPolicy({ networks: [] }).withoutLoopback(), 'localhost')).rejects.toMatchObject({
    code: 'permission_denied',
  });
  await expect(looked(new AddressPolicy({ networks: ['127.0.0.0/8'] }), 'localhost')).resolves.toBe('127.0.0.1');
});

test('loopback is known however it is written', () => {
  const loopback = ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1', '0.0.0.0', '10.0.0.1', '::2'].filter(
    isLoopback,
  );

  expect(loopback).toEqual(['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1', '0.0.0.0']);
});

test('a network is an address with or without a prefix', () => {
  const networks = ['10.0.0.0/8', '10.0.0.1', 'fd00::/8', '10.0.0.0/33', 'fd00::/129', 'host', '10.0.0.0/8/8', '/8'];

  expect(networks.filter(isNetwork)).toEqual(['10.0.0.0/8', '10.0.0.1', 'fd00::/8']);
});
