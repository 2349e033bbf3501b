// Direction marks and overrides, zero-width and other invisible characters, and control characters: a stranger could
// use them to make a line read as something else.
// eslint-disable-next-line no-control-regex
const DECEIVING =
  /[\u0000-\u0008\u000B-\u001F\u007F-\u009F\u00AD\u061C\u180E\u200B-\u200F\u2028-\u202E\u2060-\u206F\uFEFF\uFFF9-\uFFFB]/g;
const BIDI = /[\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/g;
const COMBINING_RUN = /(\p{M}{3})\p{M}+/gu;

/** A stranger's words as one harmless line of at most `max` characters. */
export function plainText(text: string, max = 80): string {
  const line = text
    .slice(0, max * 8)
    .replaceAll(/[\t\n]+/g, ' ')
    .replaceAll(DECEIVING, '')
    .replaceAll(COMBINING_RUN, '$1')
    .trim();
  const letters = Array.from(line);
  return letters.length > max ? `${letters.slice(0, max - 1).join('')}…` : line;
}

/** Terminal output without characters that reorder what stands on a line. */
export const withoutBidi = (text: string): string => text.replaceAll(BIDI, '');
