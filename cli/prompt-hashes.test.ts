import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { parse } from 'csv-parse/sync';
import { expect, it } from 'vitest';
import { formatHeader, formatRow } from '../src/batch/row-format.ts';
import { runCli } from './run-cli.fixture.ts';

interface HashedFile {
  file: string;
  family: string;
  objectives: string[];
  rows: number;
  blankAnswers: number;
  sha256: string;
}

/** Made by scripts/reference/prompt_hashes.py. */
const { files } = JSON.parse(readFileSync(join(import.meta.dirname, 'fixtures/prompt-hashes.json'), 'utf8')) as {
  files: HashedFile[];
};
const data = resolve(process.env.METAALIGNER_DATA ?? '../shared/data');

async function readRows(path: string): Promise<Record<string, string>[]> {
  return parse(await readFile(path), { columns: true });
}

/** Outputs of the IMHI sets lack their questions, which stand row for row in the test sets. */
async function withQueries(path: string, directory: string): Promise<string> {
  const questions = await readRows(join(data, 'imhi/test_instruction', basename(path)));
  const rows = await readRows(path);
  const columns = ['query', 'generated_text'];
  const lines = rows.map(({ generated_text = '' }, i) =>
    formatRow('csv', columns, [questions[i]?.query ?? '', generated_text]),
  );
  const joined = join(directory, basename(path));
  await writeFile(joined, formatHeader('csv', columns) + lines.join(''));
  return joined;
}

for (const { file, family, objectives, rows, sha256 } of files) {
  it(`gives the reference’s prompts for all rows of ${file}`, async (context) => {
    if (!existsSync(data)) context.skip(`no data at ${data} (METAALIGNER_DATA)`);
    const directory = await mkdtemp(join(tmpdir(), 'metaaligner-prompts-'));
    try {
      const source = join(data, file);
      const input = family === 'imhi' ? await withQueries(source, directory) : source;
      const args = ['prompt', '--family', family, '--objectives', objectives.join(','), '--input', input];
      const { code, stdout, stderr } = await runCli(args);
      expect(code, stderr).toBe(0);
      const lines = stdout.toString().trimEnd().split('\n');
      expect(lines).toHaveLength(rows);
      const hash = createHash('sha256');
      for (const line of lines) hash.update(`${JSON.parse(line) as string}\0`);
      expect(hash.digest('hex')).toBe(sha256);
    } finally {
      await rm(directory, { recursive: true });
    }
  }, 60_000);
}
