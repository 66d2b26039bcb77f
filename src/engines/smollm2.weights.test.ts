import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { parse } from 'csv-parse/sync';
import { expect, it, type TestContext } from 'vitest';
import { findObjective } from '../align/objectives.ts';
import { buildPrompt } from '../align/prompt.ts';
import { GREEDY } from '../align/request.ts';
import type { Variant } from '../align/variant.ts';
import { readReferenceFile } from '../convert/tokenizer/reference-data.fixture.ts';
import { openNodeFolder } from '../weights/node-folder.ts';
import { NODE_SUPPORT } from './choose-variant.ts';
import golden from './fixtures/smollm2-greedy.json' with { type: 'json' };
import { loadModel } from './load-model.ts';
import { startNodeEngine } from './node-engine.ts';
import { openTransformersJs } from './transformers-js.fixture.ts';

const FOLDER = process.env.SMOLLM2_MODEL ?? '.cache/models/smollm2-135m-instruct';
const never = new AbortController().signal;

async function load(context: TestContext, variant: Variant) {
  if (!existsSync(FOLDER)) context.skip(`no model at ${FOLDER} (SMOLLM2_MODEL)`);
  const folder = await openNodeFolder(FOLDER);
  const { model } = await loadModel(folder, {
    support: NODE_SUPPORT,
    wish: { device: 'cpu', variant },
    startEngine: startNodeEngine({ directory: folder.directory }),
  });
  return {
    ...model,
    async generate(promptIds: Int32Array, maxNewTokens: number): Promise<number[]> {
      const tokenIds: number[] = [];
      for await (const step of model.engine.generate(promptIds, { ...GREEDY, maxNewTokens }, never)) {
        tokenIds.push(...step);
      }
      return tokenIds;
    },
  };
}

function readPrompts(context: TestContext): string[] {
  const csv = readReferenceFile(context, 'hh-rlhf/Claude-3.csv');
  const rows: Record<'query' | 'generated_text', string>[] = parse(csv, { columns: true });
  const objectives = ['harmlessness', 'helpfulness', 'humour'].map((key) => findObjective(key, 'hh-rlhf'));
  return rows.map(({ query, generated_text: answer }) =>
    buildPrompt({ objectives, context: query, answer, template: 'hh-rlhf', promptStyle: 'bare' }),
  );
}

it(`writes the greedy tokens of Hugging Face transformers ${golden.versions.transformers} in float32`, async (context) => {
  const model = await load(context, 'fp32');
  const prompts = readPrompts(context);
  for (const { row, promptTokens, promptIdsSha256, tokenIds } of golden.cases) {
    const promptIds = model.tokenizer.encode(prompts[row] ?? '');
    expect(promptIds.length, `row ${row}`).toBe(promptTokens);
    expect(createHash('sha256').update(new Uint8Array(promptIds.buffer)).digest('hex')).toBe(promptIdsSha256);
    expect(await model.generate(promptIds, golden.newTokens), `row ${row}`).toEqual(tokenIds);
  }
  await model.engine.dispose();
});

for (const variant of ['q4', 'q8', 'q4f16'] as const) {
  it(`writes the tokens of transformers.js’s generate() on ${variant}`, async (context) => {
    const model = await load(context, variant);
    const peer = await openTransformersJs(FOLDER, variant);
    const promptIds = model.tokenizer.encode('Human: Which planets have rings, and why do they? Assistant:');
    const theirs = await peer.generate(promptIds, 48);
    expect(await model.generate(promptIds, 48)).toEqual(theirs.filter((id) => id !== model.tokenizer.eosTokenId));
    await peer.dispose();
    await model.engine.dispose();
  });
}
