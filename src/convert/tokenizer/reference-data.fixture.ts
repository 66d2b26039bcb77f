import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import type { TestContext } from 'vitest';
import { OBJECTIVES } from '../../align/objectives.ts';
import { buildPrompt, type TemplateId } from '../../align/prompt.ts';
import type { Tokenizer } from '../../align/tokenizer.ts';

/** The data sets that the tests of real data read; no part of the repository. */
const DATA = process.env.METAALIGNER_DATA ?? '../shared/data';

/** @returns the bytes, or ends the test as skipped with the path that is missing */
export function readReferenceFile(context: TestContext, path: string): Buffer {
  const full = join(DATA, path);
  if (!existsSync(full)) context.skip(`no data at ${full} (METAALIGNER_DATA)`);
  return readFileSync(full);
}

/** What `scripts/reference/tokenizer_fixtures.py` says of the prompts of one template. */
export interface PromptsFixture {
  rows: number;
  tokens: number;
  promptsSha256: string;
  /** Of all rows' ids as int32, little-endian. */
  idsSha256: string;
  /** The first eight hex digits of each row's sha256, joined. */
  rowHashes: string;
}

export interface Parity {
  promptsSha256: string;
  idsSha256: string;
  tokens: number;
  /** Rows whose ids are not the reference's. */
  differentRows: number[];
}

/** Encodes the prompt of every row of the HH-RLHF test set under one template. */
export function measureParity(
  context: TestContext,
  tokenizer: Tokenizer,
  template: TemplateId,
  fixture: PromptsFixture,
): Parity {
  const csv = readReferenceFile(context, 'hh-rlhf/Claude-3.csv');
  const rows: Record<'query' | 'generated_text', string>[] = parse(csv, { columns: true });
  const objectives = ['harmlessness', 'helpfulness', 'humour'].map((key) => {
    const objective = OBJECTIVES.find((candidate) => candidate.key === key);
    if (objective === undefined) throw new Error(`no objective ${key}`);
    return objective;
  });
  const promptsHash = createHash('sha256');
  const idsHash = createHash('sha256');
  const differentRows: number[] = [];
  let tokens = 0;
  rows.forEach((row, i) => {
    const prompt = buildPrompt({
      objectives,
      context: row.query,
      answer: row.generated_text,
      template,
      promptStyle: 'bare',
    });
    const ids = tokenizer.encode(prompt);
    const bytes = new Uint8Array(ids.buffer);
    promptsHash.update(prompt);
    idsHash.update(bytes);
    tokens += ids.length;
    const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 8);
    if (hash !== fixture.rowHashes.slice(i * 8, i * 8 + 8)) differentRows.push(i);
  });
  return { promptsSha256: promptsHash.digest('hex'), idsSha256: idsHash.digest('hex'), tokens, differentRows };
}

/** A text with the reference's ids and what the reference decodes from them. */
export interface Case {
  text: string;
  ids: number[];
  decoded: string;
}
