/** The part of an OpenAPI document that the page shows. */
export interface ApiDocument {
  info: { title: string; version: string; description?: string };
  paths?: Record<string, Record<string, ApiOperation>>;
}

interface ApiOperation {
  operationId?: string;
  summary?: string;
  parameters?: { name: string; in: string; required?: boolean }[];
  requestBody?: { content?: Record<string, { schema?: unknown }> };
}

const ESCAPES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escape = (text: string): string => text.replace(/[&<>"']/g, (character) => ESCAPES[character] ?? '');

/** A page that explains the REST interface to a person, without a script. */
export function describeApi({ info, paths = {} }: ApiDocument): string {
  const rows = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => {
      const { operationId = '', summary = '', parameters = [], requestBody } = operation;
      const schema = requestBody?.content?.['application/json']?.schema;
      const inputs = parameters.map(({ name, required }) => `${name}${required ? '' : '?'}`).join(', ');
      return `<tr><td><code>${escape(method.toUpperCase())}</code></td><td><code>/api${escape(path)}</code></td>
<td>${escape(summary || operationId)}${inputs === '' ? '' : `<br><small>${escape(inputs)}</small>`}
${schema === undefined ? '' : `<details><summary>body</summary><pre>${escape(JSON.stringify(schema, null, 2))}</pre></details>`}</td></tr>`;
    }),
  );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escape(info.title)} interface</title>
<meta name="viewport" content="width=device-width">
<style>:root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}
td{padding:.35rem .75rem .35rem 0;vertical-align:top;border-top:1px solid #8884}table{border-collapse:collapse;width:100%}
pre{overflow:auto;max-height:20rem}</style></head>
<body><h1>${escape(info.title)} ${escape(info.version)}</h1><p>${escape(info.description ?? '')}</p>
<p>Machine-readable: <a href="/api/openapi.json">/api/openapi.json</a> (OpenAPI 3.1).</p>
<table>${rows.join('\n')}</table></body></html>
`;
}
