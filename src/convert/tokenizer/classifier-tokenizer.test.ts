import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import { describe, expect, it } from 'vitest';
import { classifierTokenizerFiles, type ClassifierTokenizerTexts } from './classifier-tokenizer.ts';

/** Made by scripts/reference/roberta_tokenizer.py with transformers. */
const reference = JSON.parse(readFileSync(join(import.meta.dirname, 'fixtures/roberta-vocabulary.json'), 'utf8')) as {
  vocabulary: Record<string, number>;
  merges: string[];
  texts: string[];
  cases: { architecture: 'roberta' | 'bart'; tokenizerConfig: object; ids: number[][] }[];
};

function textsOf(tokenizerConfig: object, vocabulary: object = reference.vocabulary): ClassifierTokenizerTexts {
  return {
    tokenizerJson: undefined,
    tokenizerConfigJson: JSON.stringify(tokenizerConfig),
    vocabularyText: undefined,
    vocabularyJson: JSON.stringify(vocabulary),
    mergesText: ['#version: 0.2', ...reference.merges, ''].join('\n'),
  };
}

describe.each(reference.cases)('$architecture’s vocab.json and merges.txt, $tokenizerConfig', (one) => {
  const { architecture, tokenizerConfig, ids } = one;

  it('make the tokenizer that transformers makes', () => {
    const files = classifierTokenizerFiles({ architecture }, 'a folder', textsOf(tokenizerConfig));
    const tokenizer = new Tokenizer(JSON.parse(files.tokenizerJson) as object, tokenizerConfig);
    reference.texts.forEach((text, i) => {
      expect(tokenizer.encode(text).ids, JSON.stringify(text)).toEqual(ids[i]);
    });
  });

  it('are refused without a special token, and named where they lack', () => {
    const { '</s>': _end, ...vocabulary } = reference.vocabulary;
    const make = (texts: ClassifierTokenizerTexts) => () =>
      classifierTokenizerFiles({ architecture }, 'a folder', texts);
    expect(make(textsOf(tokenizerConfig, vocabulary))).toThrow('it has no piece for sep_token (</s>)');
    expect(make({ ...textsOf(tokenizerConfig), mergesText: undefined })).toThrow(
      'neither tokenizer.json nor vocab.json with merges.txt',
    );
  });
});
