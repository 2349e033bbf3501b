/**
 * The URL of a worker's entry file beside the caller: `.ts` when running from source, `.js` when bundled.
 * The bundler emits every entry flat into one folder, so the same relative name works in both.
 */
export const sibling = (importMetaUrl: string, name: string): URL =>
  new URL(`./${name}.${new URL(importMetaUrl).pathname.endsWith('.ts') ? 'ts' : 'js'}`, importMetaUrl);
