import { lookup as resolve } from 'node:dns';
import net from 'node:net';
import { AppError } from '../shared/errors.ts';

/**
 * IPv4 addresses that are not somebody's on the internet: IANA's special-purpose registry, the clouds' metadata services
 * (link-local) among them.
 */
const SPECIAL: readonly [string, number][] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
];

const special4 = new net.BlockList();
for (const [address, bits] of SPECIAL) special4.addSubnet(address, bits, 'ipv4');
special4.addAddress('168.63.129.16', 'ipv4');
/** Of IPv6 only what is given out is public; within it, what leads to IPv4 addresses or is for documentation is not. */
const global6 = new net.BlockList();
global6.addSubnet('2000::', 3, 'ipv6');
const special6 = new net.BlockList();
special6.addSubnet('2001::', 23, 'ipv6');
special6.addSubnet('2001:db8::', 32, 'ipv6');
special6.addSubnet('2002::', 16, 'ipv6');
special6.addSubnet('3fff::', 20, 'ipv6');

export function isPublicAddress(address: string): boolean {
  if (net.isIPv4(address)) return !special4.check(address, 'ipv4');
  if (!net.isIPv6(address)) return false;
  return global6.check(address, 'ipv6') && !special6.check(address, 'ipv6');
}

const refused = (host: string) =>
  new AppError(
    'not-allowed',
    `${host} is an address inside a private network; files are fetched from the internet only.`,
    {
      field: 'url',
      next: 'Put the file where anybody can reach it, or upload it with the job.',
    },
  );

/** @throws AppError `not-allowed` when a URL names a private address itself, without a name to look up. */
export function checkLiteralHost(hostname: string): void {
  const host = hostname.replace(/^\[|\]$/g, '');
  if (net.isIP(host) !== 0 && !isPublicAddress(host)) throw refused(host);
}

/**
 * A lookup for `net.connect` that answers with public addresses only: the address that was checked is the one that is
 * connected to, so a name cannot change its mind in between.
 */
export const publicLookup: net.LookupFunction = (hostname, options, callback) => {
  resolve(hostname, { ...options, all: true }, (error, addresses) => {
    if (error !== null) {
      callback(error, '', 0);
      return;
    }
    const allowed = addresses.filter(({ address }) => isPublicAddress(address));
    const [first] = allowed;
    if (first === undefined) {
      callback(refused(hostname), '', 0);
      return;
    }
    if (options.all === true) callback(null, allowed);
    else callback(null, first.address, first.family);
  });
};
