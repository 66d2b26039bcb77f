import { readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { type BuildReport, dataCard } from '../../src/datasets/data-card.ts';

/**
 * Writes a build's report into its folder, and the data card (README.md) of all builds whose reports are there. A README.md
 * that somebody else wrote stays.
 */
export async function writeReport(folder: string, name: string, report: BuildReport): Promise<void> {
  await writeFile(join(folder, name), `${JSON.stringify(report, undefined, 2)}\n`);
  const reports: BuildReport[] = [];
  for (const path of (await readdir(folder)).filter((each) => /^report(?:-\w+)?\.json$/.test(each)).sort()) {
    const other = JSON.parse(await readFile(join(folder, path), 'utf8')) as BuildReport;
    // Another version's, or of another data set.
    if (other.template === report.template && other.format === report.format) reports.push(other);
  }
  const path = join(folder, 'README.md');
  const existing = await readFile(path, 'utf8').catch(() => undefined);
  if (existing === undefined || existing.includes(MARK)) {
    await writeFile(path, `${dataCard(basename(resolve(folder)), reports)}\n${MARK}\n`);
  }
}

const MARK = '<!-- Written by metaaligner dataset; remove this line to keep your changes. -->';
