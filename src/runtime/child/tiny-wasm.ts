/** WebAssembly modules small enough to write by hand, for tests: imports of WASI, one memory, texts, one function. */

const unsigned = (value: number): number[] => {
  const bytes: number[] = [];
  let left = value;
  do {
    const part = left % 128;
    left = Math.floor(left / 128);
    bytes.push(left > 0 ? part + 128 : part);
  } while (left > 0);
  return bytes;
};

const signed = (value: bigint): number[] => {
  const bytes: number[] = [];
  for (let left = value; ;) {
    const part = Number(BigInt.asUintN(7, left));
    left >>= 7n;
    if ((left === 0n && part < 64) || (left === -1n && part >= 64)) return [...bytes, part];
    bytes.push(part | 0x80);
  }
};

const I32 = 0x7f;
const I64 = 0x7e;
const list = (items: number[][]): number[] => [...unsigned(items.length), ...items.flat()];
const text = (value: string): number[] => {
  const bytes = [...new TextEncoder().encode(value)];
  return [...unsigned(bytes.length), ...bytes];
};
const section = (id: number, body: number[]): number[] => [id, ...unsigned(body.length), ...body];

/** Parameters of the WASI functions used here; all but proc_exit answer with an error number. */
const WASI: Record<string, number[]> = {
  fd_write: [I32, I32, I32, I32],
  fd_read: [I32, I32, I32, I32],
  fd_close: [I32],
  path_open: [I32, I32, I32, I32, I32, I64, I64, I32, I32],
  path_unlink_file: [I32, I32, I32],
  path_rename: [I32, I32, I32, I32, I32, I32],
  path_create_directory: [I32, I32, I32],
  poll_oneoff: [I32, I32, I32, I32],
  proc_exit: [I32],
  environ_get: [I32, I32],
};
const NAMES = Object.keys(WASI);

export const i32 = (value: number): number[] => [0x41, ...signed(BigInt(value))];
export const i64 = (value: bigint): number[] => [0x42, ...signed(value)];
/** Calls a WASI function with constants, or with whatever leaves a value. */
export const call = (name: string, ...args: (number | bigint | number[])[]): number[] => [
  ...args.flatMap((arg) => (Array.isArray(arg) ? arg : typeof arg === 'bigint' ? i64(arg) : i32(arg))),
  0x10,
  ...unsigned(NAMES.indexOf(name)),
];
export const DROP = [0x1a];
export const UNREACHABLE = [0x00];
export const forEver = (body: number[]): number[] => [0x03, 0x40, ...body, 0x0c, 0x00, 0x0b];
export const when = (condition: number[], body: number[]): number[] => [...condition, 0x04, 0x40, ...body, 0x0b];
export const load = (at: number): number[] => [...i32(at), 0x28, 2, 0];
export const store = (at: number, value: number[]): number[] => [...i32(at), ...value, 0x36, 2, 0];
/** Leaves -1 where there is no more. */
export const grow = (pages: number): number[] => [...i32(pages), 0x40, 0x00];
export const isMinusOne = (value: number[]): number[] => [...value, ...i32(-1), 0x46];

const HEAD = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0];

/** A command whose `_start` is `body`; `texts` lie in memory at the given places. */
export function command(
  body: number[],
  options: {
    texts?: [number, string][];
    /** Limits as they stand in the binary: flags, minimum, maximum. */
    memory?: number[];
    imported?: boolean;
  } = {},
): Uint8Array {
  const memory = options.memory ?? [0, 1];
  const types = [
    ...NAMES.map((name) => [
      0x60,
      ...list((WASI[name] ?? []).map((type) => [type])),
      ...(name === 'proc_exit' ? [0] : [1, I32]),
    ]),
    [0x60, 0, 0],
  ];
  const imports = [
    ...NAMES.map((name, i) => [...text('wasi_snapshot_preview1'), ...text(name), 0x00, ...unsigned(i)]),
    ...(options.imported === true ? [[...text('env'), ...text('memory'), 0x02, ...memory]] : []),
  ];
  const exports = [
    [...text('_start'), 0x00, ...unsigned(NAMES.length)],
    [...text('memory'), 0x02, 0],
  ];
  const code = [0, ...body, 0x0b];
  const data = (options.texts ?? []).map(([at, value]) => [0, ...i32(at), 0x0b, ...text(value)]);
  return Uint8Array.from([
    ...HEAD,
    ...section(1, list(types)),
    ...section(2, list(imports)),
    ...section(3, list([unsigned(NAMES.length)])),
    ...(options.imported === true ? [] : section(5, list([memory]))),
    ...section(7, list(exports)),
    ...section(10, list([[...unsigned(code.length), ...code]])),
    ...section(11, list(data)),
  ]);
}

const READ = 2n;
const WRITE = 64n;
const CREATE = 1;

/** in/data.txt to out/copy.txt, and its text said on both outputs. */
export const ECHO = command(
  [
    ...call('path_open', 3, 0, 100, 8, 0, READ, 0n, 0, 0),
    ...DROP,
    ...store(16, i32(1024)),
    ...store(20, i32(4096)),
    ...call('fd_read', load(0), 16, 1, 8),
    ...DROP,
    ...store(20, load(8)),
    ...call('path_open', 4, 0, 120, 8, CREATE, WRITE, 0n, 0, 4),
    ...DROP,
    ...call('fd_write', load(4), 16, 1, 12),
    ...DROP,
    ...call('fd_write', 1, 16, 1, 12),
    ...DROP,
    ...call('fd_write', 2, 16, 1, 12),
    ...DROP,
  ],
  {
    texts: [
      [100, 'data.txt'],
      [120, 'copy.txt'],
    ],
  },
);
export const EXIT_3 = command(call('proc_exit', 3));
export const LOOP = command(forEver([]));
/** Grows until there is no more, then traps, as a program that cannot allocate does. */
export const GROW = command(forEver(when(isMinusOne(grow(16)), UNREACHABLE)));
/** 64 KiB at a time, whatever the answers are. */
export const FLOOD = command(
  [
    ...call('path_open', 4, 0, 120, 3, CREATE, WRITE, 0n, 0, 0),
    ...DROP,
    ...store(16, i32(0)),
    ...store(20, i32(65_536)),
    ...forEver([...call('fd_write', load(0), 16, 1, 12), ...DROP]),
  ],
  { texts: [[120, 'big']] },
);
/** Says "up" and a result so far, then sleeps a second at a time, for ever or `seconds` times with a result at the end. */
export function sleeper(seconds: number): Uint8Array {
  const write = [
    ...call('path_open', 4, 0, 120, 4, CREATE, WRITE, 0n, 0, 0),
    ...DROP,
    ...store(16, i32(100)),
    ...store(20, i32(3)),
    ...call('fd_write', load(0), 16, 1, 12),
    ...DROP,
    ...call('fd_write', 1, 16, 1, 12),
    ...DROP,
  ];
  // A subscription: user data, clock, monotonic, 1e9 ns.
  const second = [...store(200 + 16, i32(1)), ...store(200 + 24, i32(1_000_000_000))];
  const sleep = [...call('poll_oneoff', 200, 300, 1, 12), ...DROP];
  const sleeps = Number.isFinite(seconds) ? Array.from({ length: seconds }, () => sleep).flat() : forEver(sleep);
  return command([...write, ...second, ...sleeps], {
    texts: [
      [100, 'up\n'],
      [120, 'part'],
    ],
  });
}
