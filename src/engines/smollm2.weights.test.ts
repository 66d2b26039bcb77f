import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { describe, expect, it, type TestContext } from 'vitest';
import type { Engine } from '../align/engine.ts';
import { findObjective } from '../align/objectives.ts';
import { buildPrompt } from '../align/prompt.ts';
import { GREEDY } from '../align/request.ts';
import type { Variant } from '../align/variant.ts';
import { VARIANT_FILE_NAMES } from '../convert/write-graphs.ts';
import { readReferenceFile } from '../convert/tokenizer/reference-data.fixture.ts';
import { openNodeFolder } from '../weights/node-folder.ts';
import { NODE_SUPPORT } from './choose-variant.ts';
import { DecodeLoop } from './decode-loop.ts';
import golden from './fixtures/smollm2-greedy.json' with { type: 'json' };
import { loadModel } from './load-model.ts';
import { createNodeDecoder, createNodeEngine, startNodeEngine } from './node-engine.ts';
import { recordScores } from './recorded-scores.fixture.ts';
import { openTransformersJs } from './transformers-js.fixture.ts';
import { createWebEngine } from './web-engine.ts';

const FOLDER = process.env.SMOLLM2_MODEL ?? '.cache/models/smollm2-135m-instruct';
const never = new AbortController().signal;

const FREE_PROMPT = 'Human: Which planets have rings, and why do they? Assistant:';
const COPIED = 'The river runs past the old mill, where the miller keeps nine grey geese and a very loud dog.';
const COPYING_PROMPT = `${COPIED} ${COPIED} ${COPIED}`;

async function load(context: TestContext, variant: Variant) {
  if (!existsSync(FOLDER)) context.skip(`no model at ${FOLDER} (SMOLLM2_MODEL)`);
  const folder = await openNodeFolder(FOLDER);
  const { model, manifest } = await loadModel(folder, {
    support: NODE_SUPPORT,
    wish: { device: 'cpu', variant },
    startEngine: startNodeEngine({ directory: folder.directory }),
  });
  return {
    ...model,
    manifest,
    generate: (promptIds: Int32Array, maxNewTokens: number) => generate(model.engine, promptIds, maxNewTokens),
  };
}

async function generate(engine: Engine, promptIds: Int32Array, maxNewTokens: number): Promise<number[]> {
  const tokenIds: number[] = [];
  for await (const step of engine.generate(promptIds, { ...GREEDY, maxNewTokens }, never)) tokenIds.push(...step);
  return tokenIds;
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

describe.each(['q4', 'q8', 'q4f16'] as const)('on %s', (variant) => {
  const graphPath = join(FOLDER, 'onnx', `${VARIANT_FILE_NAMES[variant]}.onnx`);

  it('writes the tokens of transformers.js’s generate() in steps of one row, as it makes them', async (context) => {
    const model = await load(context, variant);
    const { config } = model.manifest;
    const engine = await createNodeEngine({ graphPath, config: { ...config, mayDraft: false }, minStepTokens: 1 });
    const peer = await openTransformersJs(FOLDER, variant);
    const promptIds = model.tokenizer.encode(FREE_PROMPT);
    const theirs = await peer.generate(promptIds, 48);
    const ours = await generate(engine, promptIds, 48);
    expect(ours).toEqual(theirs.filter((id) => id !== model.tokenizer.eosTokenId));
    await peer.dispose();
    for (const one of [model.engine, engine]) await one.dispose();
  });

  it('scores each token with the same bits, with drafts and without, after long prompts too', async (context) => {
    const model = await load(context, variant);
    const { config } = model.manifest;
    const decoder = await createNodeDecoder({ graphPath, minStepTokens: 2 });
    const run = async (promptIds: Int32Array, mayDraft: boolean) => {
      const { decoder: recorded, scores, calls } = recordScores(decoder);
      const engine = new DecodeLoop(recorded, { ...config, mayDraft });
      // Twice: now it knows what steps take.
      await generate(engine, promptIds, 60);
      const tokenIds = await generate(engine, promptIds, 60);
      return { calls, tokenIds, scores: scores.slice(0, promptIds.length + tokenIds.length - 1) };
    };
    const prompts = [
      FREE_PROMPT,
      COPYING_PROMPT,
      `${COPYING_PROMPT} ${COPYING_PROMPT} ${COPYING_PROMPT} ${FREE_PROMPT}`,
    ];
    let lone = 0;
    let drafted = 0;
    for (const prompt of prompts) {
      const promptIds = model.tokenizer.encode(prompt);
      const [withDrafts, plain] = [await run(promptIds, true), await run(promptIds, false)];
      expect(withDrafts.tokenIds).toEqual(plain.tokenIds);
      // Not by toEqual, which would print millions of numbers.
      const differs = plain.scores.findIndex((bits, at) => !isSame(bits, withDrafts.scores[at]));
      expect(differs).toBe(-1);
      lone += plain.calls.filter(({ isAlone }) => isAlone).length;
      drafted += plain.calls.length - withDrafts.calls.length;
    }
    expect(Math.min(lone, drafted)).toBeGreaterThan(0);
    await decoder.dispose();
    await model.engine.dispose();
  });
});

function isSame(bits: Int32Array | undefined, others: Int32Array | undefined): boolean {
  return bits === undefined || others === undefined
    ? bits === others
    : Buffer.from(bits.buffer).equals(Buffer.from(others.buffer));
}

describe.each(['fp32', 'q4', 'q8', 'q4f16'] as const)('in %s', (variant) => {
  it('writes the same with drafts and without, where it copies and where it does not', async (context) => {
    const model = await load(context, variant);
    const plain = await createNodeEngine({
      graphPath: join(FOLDER, 'onnx', `${VARIANT_FILE_NAMES[variant]}.onnx`),
      config: { ...model.manifest.config, mayDraft: false },
      minStepTokens: variant === 'fp32' ? 1 : 2,
    });
    for (const prompt of [FREE_PROMPT, COPYING_PROMPT]) {
      const promptIds = model.tokenizer.encode(prompt);
      expect(await model.generate(promptIds, 80)).toEqual(await generate(plain, promptIds, 80));
    }
    await model.engine.dispose();
    await plain.dispose();
  });
});

it('writes the same with drafts and without on wasm in q8', async (context) => {
  const { tokenizer, engine, manifest } = await load(context, 'q8');
  const { config } = manifest;
  const file = async (name: string) => ({ name, bytes: await readFile(join(FOLDER, 'onnx', name)) });
  const start = async (mayDraft: boolean) =>
    createWebEngine({
      device: 'wasm',
      threads: 1,
      graph: await file('model_quantized.onnx'),
      externalData: [await file('model_quantized.onnx_data')],
      config: { ...config, mayDraft },
    });
  const [drafting, plain] = [await start(true), await start(false)];
  for (const prompt of [FREE_PROMPT, COPYING_PROMPT]) {
    const promptIds = tokenizer.encode(prompt);
    expect(await generate(drafting, promptIds, 40)).toEqual(await generate(plain, promptIds, 40));
  }
  for (const one of [drafting, plain, engine]) await one.dispose();
});
