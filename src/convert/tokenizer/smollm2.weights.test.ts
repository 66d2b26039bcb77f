import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { TEMPLATE_IDS } from '../../align/prompt.ts';
import { loadTokenizer } from '../../align/tokenizer.ts';
import { openNodeFile } from '../../weights/node-folder.ts';
import { readGgufHeader } from '../checkpoint/gguf.ts';
import smollm2 from './fixtures/smollm2.json' with { type: 'json' };
import { tokenizerFromGguf } from './gguf-tokenizer.ts';
import { type Case, measureParity } from './reference-data.fixture.ts';

const GGUF = process.env.SMOLLM2_GGUF ?? '.cache/smollm2/smollm2-135m-instruct.gguf';

async function loadSmolLm2() {
  const { metadata } = await readGgufHeader(await openNodeFile(GGUF));
  const { tokenizerJson, tokenizerConfigJson } = tokenizerFromGguf(metadata);
  return loadTokenizer(JSON.parse(tokenizerJson), JSON.parse(tokenizerConfigJson));
}

it('gives llama.cpp’s ids for the prompts of every row, under each template', async (context) => {
  if (!existsSync(GGUF)) context.skip(`no model at ${GGUF} (SMOLLM2_GGUF)`);
  const tokenizer = await loadSmolLm2();
  for (const template of TEMPLATE_IDS) {
    const { rowHashes: _, rows: __, ...expected } = smollm2.prompts[template];
    expect(measureParity(context, tokenizer, template, smollm2.prompts[template])).toEqual({
      ...expected,
      differentRows: [],
    });
  }
});

it('gives Hugging Face’s ids and text for texts made to be hard', async (context) => {
  if (!existsSync(GGUF)) context.skip(`no model at ${GGUF} (SMOLLM2_GGUF)`);
  const tokenizer = await loadSmolLm2();
  for (const { text, ids, decoded } of smollm2.cases as Case[]) {
    expect([...tokenizer.encode(text)], JSON.stringify(text)).toEqual(ids);
    expect(tokenizer.decode(ids), JSON.stringify(text)).toBe(decoded);
  }
  expect(tokenizer).toMatchObject({ vocabularySize: 49152, bosTokenId: 1, eosTokenId: 2 });
});
