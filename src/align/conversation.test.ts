import fc from 'fast-check';
import { expect, it } from 'vitest';

import { formatDialogue, parseDialogue, parsePasted, type Turn } from './conversation.ts';

it('takes a dialogue of HH-RLHF apart and leaves the answer’s place out', () => {
  expect(parseDialogue('\n\nHuman: Hi\n\nAssistant: Hello.\nHow are you?\n\nHuman: Fine\n\nAssistant:')).toEqual([
    { role: 'human', text: 'Hi' },
    { role: 'assistant', text: 'Hello.\nHow are you?' },
    { role: 'human', text: 'Fine' },
  ]);
});

it('takes text without marks for a human’s turn', () => {
  expect(parseDialogue('What is ink?')).toEqual([{ role: 'human', text: 'What is ink?' }]);
  expect(parseDialogue('  ')).toEqual([]);
});

it('reads what it writes', () => {
  const word = fc.stringMatching(/^[a-z][a-z .,\n]{0,30}[a-z.]$/);
  const turn: fc.Arbitrary<Turn> = fc.record({ role: fc.constantFrom('human', 'assistant'), text: word });
  fc.assert(
    fc.property(fc.array(turn, { maxLength: 6 }), (turns) => {
      expect(parseDialogue(formatDialogue(turns))).toEqual(turns);
    }),
  );
});

it('never fails, whatever is pasted', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json(), fc.string({ unit: 'binary' })), (text) => void parsePasted(text)),
  );
});

it('reads OpenAI’s messages: the last one of the assistant is the answer, a system prompt is counted', () => {
  const messages = [
    { role: 'system', content: 'Be kind.' },
    {
      role: 'user',
      content: [
        { type: 'text', text: 'Hi' },
        { type: 'image_url', image_url: {} },
      ],
    },
    { role: 'assistant', content: 'Hello.' },
  ];
  const expected = { turns: [{ role: 'human', text: 'Hi' }], answer: 'Hello.', leftOut: 1 };
  expect(parsePasted(JSON.stringify(messages))).toEqual(expected);
  expect(parsePasted(JSON.stringify({ model: 'm', messages }))).toEqual(expected);
});

it('reads ShareGPT’s conversations, and the first of a list of them', () => {
  const sample = {
    id: '1',
    conversations: [
      { from: 'human', value: 'Hi' },
      { from: 'gpt', value: 'Hello.' },
    ],
  };
  const expected = { turns: [{ role: 'human', text: 'Hi' }], answer: 'Hello.', leftOut: 0 };
  expect(parsePasted(JSON.stringify(sample))).toEqual(expected);
  expect(parsePasted(JSON.stringify([sample, sample]))).toEqual(expected);
});

it('reads marked turns that end in an answer, or before it', () => {
  expect(parsePasted('Human: Hi\n\nAssistant: Hello.')).toEqual({
    turns: [{ role: 'human', text: 'Hi' }],
    answer: 'Hello.',
    leftOut: 0,
  });
  expect(parsePasted('Human: Hi\n\nAssistant:')).toMatchObject({ answer: undefined });
});

it('leaves other text alone', () => {
  for (const text of ['What is ink?', '{"a": 1}', '[1, 2', 'He said Human: no', '[]', 'null']) {
    expect(parsePasted(text), text).toBeUndefined();
  }
});
