import type { AlignRequest } from './request.ts';

/** Model family, which names its template: `Context:`, `Query:` or `Question:`. */
export const TEMPLATE_IDS = ['hh-rlhf', 'ultrafeedback', 'imhi'] as const;
export type TemplateId = (typeof TEMPLATE_IDS)[number];

/** `bare` is what the published inference code sends; `vicuna` is the wrapping that FastChat trained with. */
export const PROMPT_STYLES = ['bare', 'vicuna'] as const;
export type PromptStyle = (typeof PROMPT_STYLES)[number];

const OPENING = 'You are an assistant to human. You will be provided with';

/** @see MetaAligner inference/aligner_inference.py:19-37, commit 26d8dad (one template per model family) */
const TEMPLATES: Record<TemplateId, string> = {
  'hh-rlhf': `${OPENING} a context and an answer. Consider the context, then edit the answer to improve it considering these aspects: {aspects} | Context: {question} | Answer: {answer} | Edit: `,
  ultrafeedback: `${OPENING} a query and an answer. Consider the query, then edit the answer to improve it considering these aspects: {aspects} | Query: {question} | Answer: {answer} | Edit: `,
  imhi: 'Edit the following Question-Answer pair to make it better considering these aspects "{aspects}" | Question: {question} | Answer: {answer} | Edit: ',
};

/** What a template's `{question}` is called in it, and so on the page. */
export const CONTEXT_NAMES: Record<TemplateId, string> = {
  'hh-rlhf': 'Context',
  ultrafeedback: 'Query',
  imhi: 'Question',
};

/** @see FastChat fastchat/conversation.py, `vicuna_v1.1`, around one turn */
const VICUNA = {
  before:
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, and polite answers to the user's questions. USER: ",
  after: ' ASSISTANT: ',
};

/**
 * Fills the aligner's template. The model expects these exact bytes: descriptions are joined with "; " in the given
 * order, and the text ends in "Edit: " with its trailing space. Texts go in as they are, blank ones included; what
 * may be sent is checked by `checkRequest`.
 *
 * @returns prompt text, no BOS, not yet tokenized
 */
export function buildPrompt(
  request: Pick<AlignRequest, 'objectives' | 'context' | 'answer' | 'template' | 'promptStyle'>,
): string {
  const prompt = fill(TEMPLATES[request.template], request);
  return request.promptStyle === 'vicuna' ? VICUNA.before + prompt + VICUNA.after : prompt;
}

/**
 * The prompt of training data for answers that are equally good.
 *
 * `make it equal` stands for `improve it`; used by no published inference code.
 */
export function buildEqualPrompt(
  request: Pick<AlignRequest, 'objectives' | 'context' | 'answer'> & { template: 'hh-rlhf' | 'ultrafeedback' },
): string {
  return fill(TEMPLATES[request.template].replace('improve it', 'make it equal'), request);
}

function fill(template: string, request: Pick<AlignRequest, 'objectives' | 'context' | 'answer'>): string {
  const values: Record<string, string> = {
    '{aspects}': request.objectives.map((objective) => objective.description).join('; '),
    '{question}': request.context,
    '{answer}': request.answer,
  };
  // One pass with a function: a `{answer}` or `$&` inside a user's text stays text.
  return template.replace(/\{\w+\}/g, (slot) => values[slot] ?? slot);
}

/** The parts of {@link buildPrompt}'s text before and after the answer. */
export function promptAroundAnswer(request: Parameters<typeof buildPrompt>[0]): [before: string, after: string] {
  const prompt = buildPrompt(request);
  const end = TEMPLATES[request.template].split('{answer}')[1] ?? '';
  const after = request.promptStyle === 'vicuna' ? end + VICUNA.after : end;
  return [prompt.slice(0, prompt.length - after.length - request.answer.length), after];
}
