import { AlignError } from '../../align/errors.ts';
import { ANNOTATED_ASPECTS, type AnnotatedAspect, type AnnotatedRow } from '../annotations.ts';

/** What a file of people's ratings has beside the explanations. */
export const ANNOTATION_COLUMNS = ['text', ...ANNOTATED_ASPECTS] as const;

/** @returns the column of the explanations: the first that is none of the others; in the published files the model's name */
export function explanationColumn(columns: readonly string[]): string | undefined {
  const others: readonly string[] = [...ANNOTATION_COLUMNS, 'label'];
  return columns.find((column) => !others.includes(column));
}

/** @returns the column of the references: the first beside `query`; in the published files the model's name */
export function referenceColumn(columns: readonly string[]): string | undefined {
  return columns.includes('query') ? columns.find((column) => column !== 'query') : undefined;
}

/**
 * @param name    the file's
 * @param column  of the explanations
 * @throws AlignError `invalid-request` for a row whose ratings are no list, or not as many as the first row's
 */
export function annotatedRows(
  name: string,
  column: string,
  cells: readonly Readonly<Record<string, string>>[],
): AnnotatedRow[] {
  let raters: number | undefined;
  return cells.map((row, index) => {
    const ratings = Object.fromEntries(
      ANNOTATED_ASPECTS.map((aspect) => {
        const list = parseRatings(row[aspect]!, name, index);
        raters ??= list.length;
        if (list.length === raters) return [aspect, list] as const;
        throw unusable(
          `Row ${index + 1} of ${name} has ${list.length} ratings of ${aspect}; the first row has ${raters}.`,
          name,
          index,
        );
      }),
    ) as Record<AnnotatedAspect, number[]>;
    return { post: row.text!, explanation: row[column]!, ratings };
  });
}

/** `[3, 2, 3]` */
function parseRatings(text: string, name: string, index: number): number[] {
  if (!/^\[\s*\d+(\s*,\s*\d+)+\s*\]$/.test(text.trim())) {
    throw unusable(`Row ${index + 1} of ${name} has “${text}” where ratings should be.`, name, index);
  }
  return text.match(/\d+/g)!.map(Number);
}

function unusable(message: string, name: string, index: number): AlignError {
  return new AlignError('invalid-request', message, { details: { file: name, row: index + 1 } });
}
