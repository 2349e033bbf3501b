import path from 'node:path';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

const root = import.meta.dirname;
const inRoot = (...parts: string[]) => path.join(root, ...parts);

// Packages with native code or data files beside them: loaded from node_modules at run time, never bundled.
const external = [
  'electron',
  'better-sqlite3',
  'hyperdht',
  'protomux',
  '@hyperswarm/secret-stream',
  'blind-relay',
  'hypercore-crypto',
  'compact-encoding',
  'b4a',
  'systeminformation',
  'dockerode',
  'pino',
];

const nodeBuild = (input: Record<string, string>, outDir: string, format: 'es' | 'cjs') => ({
  consumer: 'server' as const,
  resolve: { noExternal: true as const, external, conditions: ['node'] },
  build: {
    outDir: inRoot(outDir),
    ssr: true,
    target: 'node24',
    sourcemap: true,
    minify: false,
    emptyOutDir: true,
    copyPublicDir: false,
    rolldownOptions: {
      input,
      external,
      output: {
        format,
        entryFileNames: format === 'cjs' ? '[name].cjs' : '[name].js',
        // Flat, so that a worker's `new URL('./name.js', import.meta.url)` resolves from any chunk.
        chunkFileNames: '[name]-[hash].js',
        ...(format === 'cjs' ? { codeSplitting: false } : {}),
      },
    },
  },
});

export default defineConfig({
  root: inRoot('renderer'),
  base: './',
  cacheDir: inRoot('node_modules/.cache/vite'),
  plugins: [react()],
  environments: {
    // Renderer options live under environments.client: top-level `build` leaks into every environment.
    client: {
      build: {
        outDir: inRoot('dist/ui'),
        emptyOutDir: true,
        sourcemap: true,
        target: 'chrome140',
        rolldownOptions: { input: inRoot('renderer/index.html') },
      },
    },
    main: nodeBuild({ main: inRoot('electron/main.ts') }, 'dist/main', 'es'),
    preload: nodeBuild({ preload: inRoot('electron/preload.ts') }, 'dist/preload', 'cjs'),
    host: nodeBuild(
      {
        cli: inRoot('src/host/cli.ts'),
        'utility-process': inRoot('src/host/utility-process.ts'),
        'indexer-worker': inRoot('src/chain/indexer-worker.ts'),
        'search-worker': inRoot('src/store/search-worker.ts'),
        'signer-worker': inRoot('src/wallet/signer-worker.ts'),
        'job-child': inRoot('src/runtime/child/job-child.ts'),
        'wasm-worker': inRoot('src/runtime/child/wasm-worker.ts'),
        'kernel-worker': inRoot('src/runtime/child/kernel-worker.ts'),
        'verdict-worker': inRoot('src/renter/jobs/verdict-worker.ts'),
      },
      'dist/host',
      'es',
    ),
  },
  builder: {
    async buildApp(builder) {
      for (const name of ['client', 'main', 'preload', 'host']) {
        const environment = builder.environments[name];
        if (!environment) throw new Error(`No environment ${name}`);
        await builder.build(environment);
      }
    },
  },
  test: {
    root,
    reporters: ['default'],
    coverage: {
      provider: 'v8',
      include: ['src/**', 'electron/**'],
      reporter: ['text-summary', 'json-summary'],
    },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          root,
          // One project after the other: the later ones kill engines and measure time.
          sequence: { groupOrder: 0 },
          environment: 'node',
          // Two busy cores are the smallest machine this runs on.
          testTimeout: 30_000,
          include: ['{src,electron,renderer}/**/*.test.{ts,tsx}'],
          exclude: ['**/*.engine.test.ts'],
        },
      },
      {
        // Tests against the real Docker engine: one file at a time, they share it.
        extends: true,
        test: {
          name: 'engine',
          root,
          sequence: { groupOrder: 1 },
          environment: 'node',
          include: ['src/**/*.engine.test.ts'],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        // What crosses rooms: several hosts, a real chain, a real engine.
        extends: true,
        test: {
          name: 'whole',
          root,
          sequence: { groupOrder: 2 },
          environment: 'node',
          include: ['test/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 180_000,
          // Processes are killed and clocks run fast here: a computer busy with something else may spoil one try.
          retry: 1,
        },
      },
    ],
  },
});
