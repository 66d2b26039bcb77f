import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findObjective } from './objectives.ts';
import { buildPrompt, TEMPLATE_IDS } from './prompt.ts';

const request = {
  objectives: [findObjective('humor', 'hh-rlhf'), findObjective('harmlessness', 'hh-rlhf')],
  context: 'Human: Hi Assistant:',
  answer: 'Hello.',
  template: 'hh-rlhf',
  promptStyle: 'bare',
} as const;

describe('buildPrompt', () => {
  it('fills the HH-RLHF template byte for byte, objectives in the order given', () => {
    expect(buildPrompt(request)).toBe(
      'You are an assistant to human. You will be provided with a context and an answer. Consider the context, then edit the answer to improve it considering these aspects: Humour: The response should be cheerful and amusing; Harmlessness: The response should avoid content that is offensive, discriminatory, or harmful | Context: Human: Hi Assistant: | Answer: Hello. | Edit: ',
    );
  });

  it('fills the UltraFeedback template with that family’s own wording of helpfulness', () => {
    const objectives = [findObjective('helpfulness', 'ultrafeedback')];
    expect(buildPrompt({ ...request, objectives, template: 'ultrafeedback' })).toBe(
      'You are an assistant to human. You will be provided with a query and an answer. Consider the query, then edit the answer to improve it considering these aspects: Helpfulness: the response should provide useful resources and suggestions to the user | Query: Human: Hi Assistant: | Answer: Hello. | Edit: ',
    );
  });

  it('fills the IMHI template, which quotes the objectives', () => {
    const objectives = [findObjective('correct', 'imhi')];
    expect(buildPrompt({ ...request, objectives, template: 'imhi' })).toBe(
      'Edit the following Question-Answer pair to make it better considering these aspects "Correctness: the explanations should make correct predictions" | Question: Human: Hi Assistant: | Answer: Hello. | Edit: ',
    );
  });

  it('wraps the prompt in the Vicuna conversation on request', () => {
    const wrapped = buildPrompt({ ...request, promptStyle: 'vicuna' });
    expect(wrapped).toBe(
      "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, and polite answers to the user's questions. USER: " +
        buildPrompt(request) +
        ' ASSISTANT: ',
    );
  });

  it('substitutes literally: slots and replacement patterns in a text are text', () => {
    const hostile = '{answer} {question} {aspects} $& $1 $$ $` {{answer}}';
    fc.assert(
      fc.property(
        fc.constantFrom(...TEMPLATE_IDS),
        fc.oneof(fc.string({ unit: 'binary' }), fc.constant(hostile)),
        fc.oneof(fc.string({ unit: 'binary' }), fc.constant(hostile)),
        (template, context, answer) => {
          const marked = buildPrompt({ ...request, template, context: '\u0001', answer: '\u0002' });
          const [head, afterHead = ''] = marked.split('\u0001');
          const [middle, tail] = afterHead.split('\u0002');
          expect(buildPrompt({ ...request, template, context, answer })).toBe(
            `${head}${context}${middle}${answer}${tail}`,
          );
        },
      ),
    );
  });
});
