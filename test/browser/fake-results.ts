import { crc32, deflateSync } from 'node:zlib';

export const TRICK = '<img src=x onerror="window.hacked=1">\u202Egnp.exe\u2066\u200B';

/** A training curve as a picture: real pixels, so that a browser really draws it. */
export function fakePicture(width = 480, height = 240): Buffer {
  const rows = Buffer.alloc((width * 3 + 1) * height, 0x14);
  for (let y = 0; y < height; y += 1) rows[y * (width * 3 + 1)] = 0;
  for (let x = 0; x < width; x += 1) {
    const y = Math.round(height * (0.85 - 0.7 * Math.exp(-x / 110)) + 6 * Math.sin(x / 9) * Math.exp(-x / 200));
    for (const line of [y, y + 1, y + 2]) {
      const at = (height - 1 - Math.min(height - 1, line)) * (width * 3 + 1) + 1 + x * 3;
      rows.set([0xf5, 0xa5, 0x24], at);
    }
  }
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const frame = Buffer.alloc(8 + body.length);
    frame.writeUInt32BE(data.length, 0);
    body.copy(frame, 4);
    frame.writeUInt32BE(crc32(body), 4 + body.length);
    return frame;
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', head),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

const CURVE = ['step,loss,accuracy', ...Array.from({ length: 260 }, (_, step) => curveRow(step))].join('\n');

function curveRow(step: number): string {
  return `${step * 10},${(2.4 * Math.exp(-step / 90) + 0.21).toFixed(4)},${(1 - 0.9 * Math.exp(-step / 80)).toFixed(4)}`;
}

const NOTEBOOK = {
  nbformat: 4,
  nbformat_minor: 5,
  metadata: {},
  cells: [
    { cell_type: 'markdown', source: ['# Training report\n', 'What the run found.'] },
    {
      cell_type: 'code',
      source: 'plot(curve)',
      outputs: [
        { output_type: 'stream', name: 'stdout', text: ['2600 steps\n', 'final loss 0.3402\n'] },
        { output_type: 'display_data', data: { 'image/png': fakePicture(320, 160).toString('base64') } },
        {
          output_type: 'display_data',
          data: { 'text/html': '<script>window.hacked=1</script>', 'text/plain': TRICK },
        },
        {
          output_type: 'display_data',
          data: { 'application/javascript': 'window.hacked=1', 'image/svg+xml': '<svg onload="window.hacked=1"/>' },
        },
      ],
    },
  ],
};

export const RUN_LOG = Array.from(
  { length: 40 },
  (_, line) => `step ${String(line * 10).padStart(5)}  loss ${(2.4 * Math.exp(-line / 12) + 0.21).toFixed(4)}\n`,
).join('');

const info = (exitCode: number) =>
  `${JSON.stringify({ version: 1, exitCode, reason: 'exited', detail: '' }, null, 2)}\n`;

/** What a container job left behind, hostile things among it. */
export const containerResult = (exitCode = 0): Map<string, Buffer> =>
  new Map(
    Object.entries({
      'result.json': info(exitCode),
      'logs/stdout': RUN_LOG,
      'logs/stderr': exitCode === 0 ? '' : 'Traceback (most recent call last):\nValueError: no such column\n',
      'out/curve.csv': `${CURVE}\n`,
      'out/curve.png': fakePicture(),
      'out/report.ipynb': JSON.stringify(NOTEBOOK),
      'out/metrics.json': '{"loss":0.3402,"accuracy":0.9631}',
      'out/model.safetensors': Buffer.alloc(2_400_000, 7),
      'out/hostile.csv': `name,formula\n"${TRICK.replaceAll('"', '""')}","=HYPERLINK(""https://evil.example"")"\n`,
      'out/hostile.svg': '<svg xmlns="http://www.w3.org/2000/svg" onload="window.hacked=1"/>',
      'out/hostile.html': '<script>window.hacked=1</script>',
      [`out/${TRICK}.txt`]: 'The name is the worst of it.\n',
      'out/empty.txt': '',
    }).map(([path, content]) => [path, Buffer.from(content)]),
  );

export const kernelResult = (): Map<string, Buffer> =>
  new Map(
    Object.entries({
      'result.json': info(0),
      'logs/stdout': 'k-means: 4 clusters, 9 rounds\n',
      'out/centroids.csv': 'x,y\n-4.0121,2.9987\n3.9904,3.0110\n-3.9952,-3.0043\n4.0078,-2.9931\n',
      'out/result.json': '{"inertia":812.44,"rounds":9,"sizes":[250,250,250,250]}',
    }).map(([path, content]) => [path, Buffer.from(content)]),
  );
