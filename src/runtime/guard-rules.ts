/**
 * The rules inside a guard's network namespace, which the rental's container shares without being able to change them.
 * What a renter may reach: the open internet, or nothing; never this computer, its local network or its cloud's metadata.
 */

/** First of the container ports that a guard publishes; the renter's own ports are redirected to from them. */
export const FIRST_PUBLISHED_PORT = 61_000;
/** How many ports a guard made ahead of need publishes. Each costs one relay process of the engine (about 3 MB). */
export const WARM_PORTS = 4;
/** Resolvers of an internet rental. The computer's own would answer names of the owner's network. */
export const RESOLVERS = ['1.1.1.1', '9.9.9.9'] as const;

/** What is never the open internet (RFC 6890 and multicast): this network, private, shared, link-local, test, reserved. */
export const CLOSED_RANGES = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
] as const;

export interface GuardRules {
  /** The guard network's gateway: this computer, as the container sees it. */
  gateway: string;
  /** Networks this computer is in, as CIDR; closed even where their addresses are public ones. */
  hostNetworks: readonly string[];
  /** Ports inside the container that tunnels may reach; the i-th is published as `FIRST_PUBLISHED_PORT + i`. */
  ports: readonly number[];
  internet: boolean;
  uploadBitsPerSecond: number | null;
}

const CIDR = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:\/(\d{1,2}))?$/;

/** @throws Error unless it is an IPv4 address or network: everything here ends in a root shell's script. */
function ipv4(text: string): string {
  const parts = CIDR.exec(text);
  if (!parts || parts.slice(1, 5).some((byte) => Number(byte) > 255) || Number(parts[5] ?? 32) > 32)
    throw new Error(`Not an IPv4 network: ${text}`);
  return text;
}

function whole(value: number, max: number): number {
  if (!Number.isInteger(value) || value < 1 || value > max) throw new Error(`Not between 1 and ${max}: ${value}`);
  return value;
}

/**
 * A shell script that sets the rules in one step (iptables-restore swaps a whole table at once); run again, it replaces
 * them. Replies to what was accepted come first, so that a rental without internet keeps its tunnels. The engine's own
 * chains for its name service, in the same tables, stay.
 */
export function guardScript(rules: GuardRules): string {
  const gateway = ipv4(rules.gateway);
  const ports = rules.ports.map((port) => whole(port, 65_535));
  const closed = [...new Set([`${gateway}/32`, ...rules.hostNetworks.map(ipv4), ...CLOSED_RANGES])];
  const refuse = '-j REJECT --reject-with icmp-admin-prohibited';
  const lines = [
    '*nat',
    '-F PREROUTING',
    ...ports.map(
      (port, i) => `-A PREROUTING -i eth0 -p tcp --dport ${FIRST_PUBLISHED_PORT + i} -j REDIRECT --to-ports ${port}`,
    ),
    'COMMIT',
    '*filter',
    ':INPUT DROP [0:0]',
    ':FORWARD DROP [0:0]',
    ':OUTPUT DROP [0:0]',
    '-F INPUT',
    '-F OUTPUT',
    '-A INPUT -i lo -j ACCEPT',
    '-A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT',
    '-A INPUT -p icmp -m conntrack --ctstate RELATED -j ACCEPT',
    // The engine's relay for 127.0.0.1 comes from the gateway. Neighbours on the local network that route here do not.
    ...ports.map((port) => `-A INPUT -s ${gateway}/32 -p tcp --dport ${port} -j ACCEPT`),
    // A question to the engine's name service would leave this namespace without passing any rule of it.
    ...(rules.internet ? [] : [`-A OUTPUT -d 127.0.0.11/32 ${refuse}`]),
    '-A OUTPUT -o lo -j ACCEPT',
    '-A OUTPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT',
    ...(rules.internet
      ? [...closed.map((range) => `-A OUTPUT -d ${range} ${refuse}`), '-A OUTPUT -j ACCEPT']
      : [`-A OUTPUT ${refuse}`]),
    'COMMIT',
  ];
  const upload =
    rules.uploadBitsPerSecond === null
      ? '/sbin/tc qdisc del dev eth0 root 2>/dev/null || true'
      : `/sbin/tc qdisc replace dev eth0 root tbf rate ${whole(Math.max(8000, Math.round(rules.uploadBitsPerSecond)), 1e13)}bit burst 128kb latency 300ms`;
  return `set -e\n/sbin/iptables-restore --noflush <<'RULES'\n${lines.join('\n')}\nRULES\n${upload}\n`;
}

/** IPv4 networks of this computer's interfaces, loopback left out. A mask wider than /8 closes only the address itself. */
export function hostNetworksOf(
  interfaces: NodeJS.Dict<{ family: string; address: string; cidr: string | null; internal: boolean }[]>,
): string[] {
  const found = Object.values(interfaces).flatMap((addresses) =>
    (addresses ?? [])
      .filter((address) => address.family === 'IPv4' && !address.internal)
      .map((address) => {
        const bits = Number(address.cidr?.split('/')[1] ?? 32);
        return `${address.address}/${bits >= 8 && bits <= 32 ? bits : 32}`;
      }),
  );
  return [...new Set(found)].toSorted();
}
