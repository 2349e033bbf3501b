import path from 'node:path';

/** Types that a window can show; everything else is bytes. */
const TYPES: Readonly<Record<string, string>> = {
  '.txt': 'text/plain',
  '.log': 'text/plain',
  '.md': 'text/markdown',
  '.csv': 'text/csv',
  '.tsv': 'text/tab-separated-values',
  '.json': 'application/json',
  '.ipynb': 'application/x-ipynb+json',
  '.yaml': 'application/yaml',
  '.yml': 'application/yaml',
  '.html': 'text/html',
  '.xml': 'application/xml',
  '.py': 'text/x-python',
  '.js': 'text/javascript',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.gif': 'image/gif',
  '.webp': 'image/webp',
  '.svg': 'image/svg+xml',
  '.npy': 'application/x-npy',
  '.pdf': 'application/pdf',
};

/** By the file's name; logs of a run have none. */
export function typeOfFile(file: string): string {
  if (file === 'logs/stdout' || file === 'logs/stderr') return 'text/plain';
  return TYPES[path.posix.extname(file).toLowerCase()] ?? 'application/octet-stream';
}
