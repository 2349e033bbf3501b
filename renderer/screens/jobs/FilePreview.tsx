/* oxlint-disable react/no-array-index-key -- what is previewed never changes its order: places are its only names */
import { useQuery } from '@tanstack/react-query';
import { formatBytes } from '../../../src/shared/units.ts';
import { LoadingRows } from '../../parts/Blank.tsx';
import { FailureNote } from '../../parts/Note.tsx';
import { TableWrap } from '../../parts/TableWrap.tsx';
import { useApi } from '../../state/host.ts';
import { fromBase64 } from '../../view/bytes.ts';
import { plainText, withoutBidi } from '../../../src/shared/plain-text.ts';
import { imageType, parseCsv, parseNotebook, previewKind } from '../../view/previews.ts';

/** More of a file than this is not shown. */
const PREVIEW_BYTES = 700_000;
const MAX_ROWS = 200;
const MAX_COLUMNS = 40;

/** One result file as far as it can be looked at. Nothing of it is run: text, tables and pictures only. */
export function FilePreview({ taskId, file }: { taskId: string; file: { path: string; bytes: number } }) {
  const kind = previewKind(file.path);
  const type = imageType(file.path);
  const piece = useQuery(
    useApi().jobs.resultFile.queryOptions({
      input: { taskId, path: file.path, length: PREVIEW_BYTES },
      enabled: kind !== 'none' && file.bytes > 0,
      staleTime: Infinity,
    }),
  );
  if (file.bytes === 0) return <p className="hint">This file is empty.</p>;
  if (kind === 'none') return <p className="hint">There is no preview for this kind of file. Save it to open it.</p>;
  if (!piece.data) {
    return piece.error ? <FailureNote error={piece.error} /> : <LoadingRows lines={8} label="Loading the file" />;
  }
  const whole = file.bytes <= PREVIEW_BYTES;
  if (type !== undefined) {
    if (!whole) return <p className="hint">This picture is too large for a preview. Save it to open it.</p>;
    return <img className="result-image" alt={plainText(file.path)} src={`data:${type};base64,${piece.data.base64}`} />;
  }
  const text = withoutBidi(new TextDecoder().decode(fromBase64(piece.data.base64)));
  return (
    <>
      {whole ? null : (
        <p className="hint">
          The first {formatBytes(PREVIEW_BYTES)} of {formatBytes(file.bytes)}.
        </p>
      )}
      {kind === 'csv' ? <Table text={text} separator={file.path.endsWith('.tsv') ? '\t' : ','} /> : null}
      {kind === 'notebook' ? <Notebook text={text} /> : null}
      {kind === 'text' ? <Text text={text} /> : null}
    </>
  );
}

function Text({ text }: { text: string }) {
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a scrolling text has to be reachable by keyboard
    <pre className="result-text" tabIndex={0}>
      {text}
    </pre>
  );
}

function Table({ text, separator }: { text: string; separator: string }) {
  const parsed = parseCsv(text, separator, MAX_ROWS + 2);
  const [head = [], ...rows] = parsed.slice(0, MAX_ROWS + 1).map((row) => row.slice(0, MAX_COLUMNS));
  const cut = parsed.length > MAX_ROWS + 1 || parsed.some((row) => row.length > MAX_COLUMNS);
  return (
    <>
      {cut ? (
        <p className="hint">
          At most {MAX_ROWS} rows and {MAX_COLUMNS} columns are shown.
        </p>
      ) : null}
      <TableWrap label="Table" className="result-table">
        <table className="plain-table">
          <thead>
            <tr>
              {head.map((cell, column) => (
                <th key={column} scope="col">
                  {plainText(cell, 60)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row, at) => (
              <tr key={at}>
                {row.map((cell, column) => (
                  <td key={column} className="figure">
                    {plainText(cell, 60)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </TableWrap>
    </>
  );
}

function Notebook({ text }: { text: string }) {
  const cells = parseNotebook(text);
  if (!cells) return <Text text={text} />;
  return (
    <div className="notebook">
      {cells.map((cell, at) => (
        <section key={at} aria-label={cell.kind === 'code' ? 'Code' : 'Text'}>
          <pre className={cell.kind === 'code' ? 'result-text' : 'notebook-words'}>{cell.source}</pre>
          {cell.outputs.map((output, place) =>
            output.kind === 'png' ? (
              <img key={place} className="result-image" alt="Output" src={`data:image/png;base64,${output.base64}`} />
            ) : (
              <pre key={place} className="notebook-output">
                {output.text}
              </pre>
            ),
          )}
        </section>
      ))}
    </div>
  );
}
