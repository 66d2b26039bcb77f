import packageJson from '../package.json';
import { AlignError, type AlignErrorData } from '../src/align/errors.ts';
import { rowFormatOf } from '../src/batch/row-format.ts';
import { assembleReport } from '../src/evaluation/report/assemble-report.ts';
import type { EvaluationReport } from '../src/evaluation/report/evaluation-report.ts';
import {
  type EvaluationPart,
  faultBeside,
  readEvaluationRows,
  readReportJson,
} from '../src/evaluation/report/read-evaluation-file.ts';
import { parseRows } from './parse-rows.ts';

export interface Evaluated {
  /** Of the files that could be used. */
  report: EvaluationReport;
  /** By the file's place in the list. */
  problems: ReadonlyMap<number, AlignErrorData>;
}

export interface NamedFile {
  name: string;
  content: Blob;
}

/** A browser holds no text of more than about 500 million characters. */
const MAX_FILE_BYTES = 300_000_000;

/**
 * One report of all files. Those that cannot be used leave the others alone.
 *
 * @param onFile  with the number of files that are read
 */
export async function evaluateFiles(
  files: readonly NamedFile[],
  onFile: (finished: number) => Promise<void>,
): Promise<Evaluated> {
  const parts = new Map<number, EvaluationPart>();
  const problems = new Map<number, AlignErrorData>();
  const seen = new Map<string, number>();
  for (const [i, file] of files.entries()) {
    const times = (seen.get(file.name) ?? 0) + 1;
    seen.set(file.name, times);
    try {
      parts.set(i, await readPart(file, times === 1 ? file.name : `${file.name} (${times})`));
    } catch (error) {
      if (!(error instanceof AlignError)) throw error;
      problems.set(i, error.toJSON());
    }
    await onFile(i + 1);
  }
  const all = [...parts.values()];
  for (const [i, part] of parts) {
    const fault = faultBeside(part, files[i]!.name, all);
    if (fault === undefined) continue;
    problems.set(i, fault.toJSON());
    parts.delete(i);
  }
  return { report: assembleReport([...parts.values()], { metaaligner: packageJson.version }), problems };
}

async function readPart({ name, content }: NamedFile, source: string): Promise<EvaluationPart> {
  if (content.size > MAX_FILE_BYTES) {
    throw new AlignError(
      'invalid-request',
      `${name} has ${content.size} bytes; this view reads up to ${MAX_FILE_BYTES}. The command line’s “evaluate” reads files of any size.`,
    );
  }
  const bytes = new Uint8Array(await content.arrayBuffer());
  if (name.toLowerCase().endsWith('.json')) return readReportJson(name, parseJson(bytes, name));
  const format = name.toLowerCase().endsWith('.gz') ? undefined : rowFormatOf(name);
  if (format === undefined) {
    throw new AlignError('invalid-request', `${name} is no .json, .csv, .tsv or .jsonl file.`);
  }
  const { columns, rows } = parseRows(bytes, name, format);
  return readEvaluationRows(name, columns, rows, source);
}

function parseJson(bytes: Uint8Array, name: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown;
  } catch (cause) {
    throw new AlignError('invalid-request', `${name} is no JSON: ${(cause as Error).message}.`, { cause });
  }
}
