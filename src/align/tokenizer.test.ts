import { describe, expect, it } from 'vitest';
import { AlignError } from './errors.ts';
import { loadTokenizer } from './tokenizer.ts';

const WORDS = [
  '<unk>',
  '<s>',
  '</s>',
  '▁',
  'a',
  'b',
  '<',
  '/',
  's',
  '>',
  '</',
  's>',
  '▁a',
  'ab',
  '[tool]',
  '1',
  '12',
  '2',
];
const MERGES = ['< /', 's >', '</ s>', '▁ a', 'a b', '1 2'];
const marker = (id: number) => ({ id, content: WORDS[id], special: true });

/** A tokenizer.json in Llama's form, whose merges even lead to `</s>`. */
const json = (changes: object = {}, model: object = {}) => ({
  added_tokens: [marker(0), marker(1), marker(2)],
  normalizer: {
    type: 'Sequence',
    normalizers: [
      { type: 'Prepend', prepend: '▁' },
      { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
    ],
  },
  pre_tokenizer: null,
  post_processor: {
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
    special_tokens: { '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] } },
  },
  decoder: {
    type: 'Sequence',
    decoders: [
      { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
      { type: 'ByteFallback' },
      { type: 'Fuse' },
      { type: 'Strip', content: ' ', start: 1, stop: 0 },
    ],
  },
  model: {
    type: 'BPE',
    unk_token: '<unk>',
    vocab: Object.fromEntries(WORDS.map((word, id) => [word, id])),
    merges: MERGES,
    ...model,
  },
  ...changes,
});
const config = { bos_token: '<s>', eos_token: { content: '</s>' }, unk_token: '<unk>' };
const load = (changes?: object, model?: object) => loadTokenizer(json(changes, model), config);
const piecesOf = (ids: Int32Array) => [...ids].map((id) => WORDS[id]);

describe('encode', () => {
  it('starts with BOS and the space of the prefix', () => {
    expect(piecesOf(load().encode('ab a'))).toEqual(['<s>', '▁a', 'b', '▁a']);
  });

  it('never makes a special token of a text, even where the merges lead to one', () => {
    expect(piecesOf(load().encode('a</s>'))).toEqual(['<s>', '▁a', '</', 's>']);
    expect(piecesOf(load().encode('<s>'))).toEqual(['<s>', '▁', '<', 's>']);
    // Named in the config only: special all the same.
    const named = loadTokenizer(json({ added_tokens: [] }), config);
    expect(piecesOf(named.encode('a</s>'))).toEqual(['<s>', '▁a', '</', 's>']);
    expect(named.decode([1, 4, 2])).toBe('a');
  });

  it('takes a special token of one character for an unknown character', () => {
    const tokenizer = load({ added_tokens: [marker(0), marker(1), marker(2), marker(5)] });
    expect(piecesOf(tokenizer.encode('aba'))).toEqual(['<s>', '▁a', '<unk>', 'a']);
    const whole = load({ normalizer: null }, { ignore_merges: true });
    expect(piecesOf(whole.encode('</s>'))).toEqual(['<s>', '</', 's>']);
  });

  it('puts no space before a text of which nothing is left', () => {
    const normalizers = [
      { type: 'Replace', pattern: { Regex: '\\s+' }, content: '' },
      { type: 'Prepend', prepend: '▁' },
    ];
    expect([...load({ normalizer: { type: 'Sequence', normalizers } }).encode(' \n')]).toEqual([1]);
  });

  it('takes the longest of the added tokens that stand at one place', () => {
    const added = (id: number, content: string) => ({ id, content, special: false, normalized: false });
    const tokenizer = load({ added_tokens: [added(20, '[t]'), added(21, '[t][u]'), added(22, '[u]')] });
    expect([...tokenizer.encode('[t][u][t]')]).toEqual([1, 21, 20]);
  });

  it('finds added tokens that are not special', () => {
    const tool = { id: 14, content: '[tool]', special: false };
    const withTool = (flags: object) =>
      load({ added_tokens: [marker(1), marker(2), { ...tool, normalized: false, ...flags }] });
    expect(piecesOf(withTool({}).encode('a[tool]a'))).toEqual(['<s>', '▁a', '[tool]', '▁a']);
    expect(piecesOf(withTool({ rstrip: true }).encode('a[tool]  a'))).toEqual(['<s>', '▁a', '[tool]', '▁a']);
    expect(piecesOf(withTool({ lstrip: true }).encode('a  [tool]a'))).toEqual(['<s>', '▁a', '[tool]', '▁a']);
    expect(piecesOf(withTool({ single_word: true }).encode('a[tool]'))).not.toContain('[tool]');
    expect(piecesOf(withTool({ single_word: true }).encode('a [tool]'))).toContain('[tool]');
  });

  it('reads tokens that only tokenizer_config.json adds', () => {
    const added_tokens_decoder = { 20: { content: '[x]', special: false, normalized: false } };
    const tokenizer = loadTokenizer(json(), { ...config, added_tokens_decoder });
    expect([...tokenizer.encode('[x]')]).toEqual([1, 20]);
    expect(tokenizer.vocabularySize).toBe(21);
  });

  it('takes half a surrogate pair for U+FFFD', () => {
    const vocab = { '▁': 0, '\ufffd': 1, '</s>': 2 };
    const tokenizer = load({ added_tokens: [], post_processor: null }, { vocab, merges: [], unk_token: null });
    expect([...tokenizer.encode('\ud83d')]).toEqual([0, 1]);
  });

  it('adds BOS by the flags when there is no post-processor', () => {
    const first = (more: object) =>
      loadTokenizer(json({ post_processor: null }), { ...config, ...more }).encode('a')[0];
    expect(first({})).not.toBe(1);
    expect(first({ add_bos_token: true })).toBe(1);
    expect(first({ tokenizer_class: 'LlamaTokenizer' })).toBe(1);
    expect(first({ tokenizer_class: 'LlamaTokenizer', add_bos_token: false })).not.toBe(1);
  });

  it('gives the Llama classes their default names', () => {
    const tokenizer = loadTokenizer(json(), { tokenizer_class: 'LlamaTokenizerFast' });
    expect(tokenizer).toMatchObject({ bosTokenId: 1, eosTokenId: 2, vocabularySize: WORDS.length });
  });

  it('reads merges written as pairs as well', () => {
    const pairs = MERGES.map((merge) => merge.split(' '));
    expect(load({}, { merges: pairs }).encode('ab </s> 12')).toEqual(load().encode('ab </s> 12'));
  });

  it('marks spaces by Metaspace, first or always', () => {
    const metaspace = (more: object) =>
      load({ normalizer: null, pre_tokenizer: { type: 'Metaspace', replacement: '▁', split: false, ...more } });
    expect(piecesOf(metaspace({ prepend_scheme: 'first' }).encode('a a'))).toEqual(['<s>', '▁a', '▁a']);
    // Unlike the Prepend normalizer it adds none where one is.
    expect(piecesOf(metaspace({ prepend_scheme: 'first' }).encode(' a'))).toEqual(['<s>', '▁a']);
    // After an added token is not the start.
    const added_tokens = [{ id: 14, content: '[tool]', special: false, normalized: false }];
    const pre_tokenizer = { type: 'Metaspace', replacement: '▁', split: false, prepend_scheme: 'first' };
    const first = load({ added_tokens, normalizer: null, pre_tokenizer });
    expect(piecesOf(first.encode('a[tool]a'))).toEqual(['<s>', '▁a', '[tool]', 'a']);
    expect(piecesOf(metaspace({ prepend_scheme: 'never' }).encode('a a'))).toEqual(['<s>', 'a', '▁a']);
    expect(piecesOf(metaspace({ add_prefix_space: false }).encode('a'))).toEqual(['<s>', 'a']);
    expect(piecesOf(metaspace({ split: true }).encode('ab a'))).toEqual(['<s>', '▁a', 'b', '▁a']);
  });
});

describe('decode', () => {
  it('skips special tokens and strips one space, the one of the prefix', () => {
    const tokenizer = load();
    expect(tokenizer.decode([1, 12, 5, 12, 2])).toBe('ab a');
    expect(tokenizer.decode([3, 12])).toBe(' a');
    expect(tokenizer.decode([0, 999, 4])).toBe('a');
    expect(tokenizer.decode([])).toBe('');
  });

  it('drops the marks of the first piece under Metaspace', () => {
    const decode = (more: object, ids: number[]) =>
      load({ decoder: { type: 'Metaspace', replacement: '▁', ...more } }).decode(ids);
    expect(decode({ prepend_scheme: 'always' }, [1, 12, 5, 12])).toBe('ab a');
    expect(decode({ prepend_scheme: 'never' }, [1, 12, 5, 12])).toBe(' ab a');
  });
});

describe('files that are refused', () => {
  const without = (key: string) => ({ [key]: undefined });
  it.each<[string, unknown, unknown, AlignError['code'], string]>([
    ['a file that is a list', [], config, 'weights-corrupt', 'tokenizer.json is a list of 0; it must be an object.'],
    ['no config', json(), null, 'weights-corrupt', 'tokenizer_config.json is null'],
    ['no model', json(without('model')), config, 'weights-corrupt', 'tokenizer.json: model is missing'],
    ['no vocabulary', json({}, without('vocab')), config, 'weights-corrupt', 'tokenizer.json: model.vocab is missing'],
    ['no merges', json({}, without('merges')), config, 'weights-corrupt', 'tokenizer.json: model.merges is missing'],
    ['an id that is a word', json({}, { vocab: { a: 'x' } }), config, 'weights-corrupt', 'model.vocab["a"] is "x"'],
    [
      'an id too large',
      json({}, { vocab: { a: 2 ** 40 } }),
      config,
      'weights-corrupt',
      'model.vocab["a"] is 1099511627776',
    ],
    ['a merge of one', json({}, { merges: ['ab'] }), config, 'weights-corrupt', 'model.merges[0] is "ab"'],
    ['a merge of strangers', json({}, { merges: ['a x'] }), config, 'weights-corrupt', 'model.vocab["x"] is missing'],
    [
      'an unknown token that is none',
      json({}, { unk_token: 'x' }),
      config,
      'weights-corrupt',
      'model.vocab["x"] is missing',
    ],
    ['no end of sequence', json(), {}, 'weights-corrupt', 'tokenizer_config.json: eos_token is missing'],
    ['another model', json({}, { type: 'Unigram' }), config, 'unsupported-model', 'of type Unigram'],
    [
      'word affixes',
      json({}, { end_of_word_suffix: '</w>' }),
      config,
      'unsupported-model',
      'end_of_word_suffix is "</w>"',
    ],
    [
      'an unknown normalizer',
      json({ normalizer: { type: 'Precompiled' } }),
      config,
      'unsupported-model',
      'the normalizer Precompiled',
    ],
    [
      'an unknown pre-tokenizer',
      json({ pre_tokenizer: { type: 'X' } }),
      config,
      'unsupported-model',
      'the pre-tokenizer X',
    ],
    [
      'an unknown decoder',
      json({ decoder: { type: 'WordPiece' } }),
      config,
      'unsupported-model',
      'the decoder WordPiece',
    ],
    [
      'an unknown post-processor',
      json({ post_processor: { type: 'X' } }),
      config,
      'unsupported-model',
      'the post-processor X',
    ],
    [
      'a broken pattern',
      json({ pre_tokenizer: { type: 'Split', pattern: { Regex: '(' }, behavior: 'Isolated' } }),
      config,
      'weights-corrupt',
      'pattern.Regex is "("',
    ],
    [
      'a template without the text',
      json({ post_processor: { type: 'TemplateProcessing', single: [], special_tokens: {} } }),
      config,
      'weights-corrupt',
      'post_processor.single',
    ],
    ['a part without end', json({ decoder: nest(100_000) }), config, 'weights-corrupt', 'nested at most 8 deep'],
  ])('names %s', (_, tokenizerJson, tokenizerConfig, code, words) => {
    let thrown: unknown;
    try {
      loadTokenizer(tokenizerJson, tokenizerConfig);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(AlignError);
    expect(thrown).toMatchObject({ code });
    expect((thrown as AlignError).message).toContain(words);
  });
});

function nest(depth: number): object {
  let part: object = { type: 'Fuse' };
  for (let i = 0; i < depth; i++) part = { type: 'Sequence', decoders: [part] };
  return part;
}
