import { mkdir, readFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { AlignError } from '../../../src/align/errors.ts';
import { rowFormatOf, type SourceRow } from '../../../src/batch/row-format.ts';
import { isAboutMentalHealth } from '../../../src/evaluation/report/evaluation-report.ts';
import type { EvaluationPart } from '../../../src/evaluation/report/read-evaluation-file.ts';
import { writeWhole } from '../../batch/output-files.ts';
import { readColumns, readRows } from '../../batch/read-rows.ts';
import { atPath } from '../../disk-fault.ts';
import { RESPONSIBLE_USE } from '../../imhi/responsible-use.ts';
import { packageVersion } from '../../package-version.ts';
import { note } from '../../terminal.ts';
import { UsageError } from '../../usage-error.ts';

export function addReportCommand(evaluate: Command): void {
  evaluate
    .command('report')
    .description('one report of all that was measured: a page of HTML, JSON that opens again, and CSV tables')
    .argument(
      '<files...>',
      'JSON of win-rate, rate, imhi, quality or annotations; verdicts.csv; a batch’s outputs; CSV files with goldens, generated_text; people’s ratings with the CSV file of references',
    )
    .requiredOption('--to <folder>', 'for report.html, report.json and the tables')
    .action(run);
}

async function run(paths: string[], { to }: { to: string }): Promise<void> {
  // Files of one name would take each other's place.
  const taken = paths.find((path) => resolve(dirname(path)) === resolve(to));
  if (taken !== undefined) throw new UsageError(`${taken} lies in --to, where the report's own files are written.`);
  // Loaded here: what checks files is large, and the other commands that score do not need it.
  const { faultBeside } = await import('../../../src/evaluation/report/read-evaluation-file.ts');
  const { assembleReport } = await import('../../../src/evaluation/report/assemble-report.ts');
  const { reportFiles } = await import('../../../src/evaluation/report/report-files.ts');
  const { ENGLISH } = await import('../../../src/evaluation/report/report-words.ts');
  const parts: EvaluationPart[] = [];
  for (const path of paths) parts.push(await readPart(path));
  for (const [i, part] of parts.entries()) {
    const fault = faultBeside(part, paths[i]!, parts);
    if (fault !== undefined) throw fault;
  }
  const versions = { metaaligner: packageVersion(), 'Node.js': process.versions.node };
  const report = assembleReport(parts, versions);
  await mkdir(to, { recursive: true });
  for (const { name, content } of reportFiles(report, ENGLISH)) {
    await writeWhole(join(to, name), (write) => write(content()));
    note(`${join(to, name)} is written.`);
  }
  if (isAboutMentalHealth(report)) note(RESPONSIBLE_USE);
}

async function readPart(path: string): Promise<EvaluationPart> {
  const { readEvaluationRows, readReportJson } = await import('../../../src/evaluation/report/read-evaluation-file.ts');
  const name = basename(path);
  if (name.toLowerCase().endsWith('.json')) return readReportJson(name, await readJson(path));
  const format = rowFormatOf(path);
  if (format === undefined) throw new UsageError(`${path} is no .json, .csv, .tsv or .jsonl file.`);
  const columns = await readColumns({ path, format });
  const rows: SourceRow[] = [];
  for await (const row of readRows({ path, format })) rows.push(row);
  // The folder tells apart what several models made of one data set.
  return readEvaluationRows(name, columns, rows, join(basename(dirname(resolve(path))), name));
}

async function readJson(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw atPath(error, path);
  });
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new AlignError('invalid-request', `${path} is no JSON: ${(cause as Error).message}.`, { cause });
  }
}
