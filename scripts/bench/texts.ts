import { readFileSync } from 'node:fs';
import { findAnswer } from '../../src/align/align.ts';
import { findObjective } from '../../src/align/objectives.ts';
import { buildPrompt } from '../../src/align/prompt.ts';
import type { Tokenizer } from '../../src/align/tokenizer.ts';
import type { Generation } from './measurement.ts';

/** A generation with its name in the table. */
export interface Text extends Generation {
  name: string;
}

interface PublishedExample {
  objectives: string[];
  context: string;
  answer: string;
  edit: string;
}

const PUBLISHED = JSON.parse(
  readFileSync(new URL('../published-example.json', import.meta.url), 'utf8'),
) as PublishedExample;

const QUESTION = 'Human: Tell me something about the mill. Assistant:';
const MILL =
  'The river runs past the old mill, where the miller keeps nine grey geese and a very loud dog. In winter the water ' +
  'freezes, and the children of the village skate from the bridge to the weir. Nobody remembers who built the mill, but ' +
  'everyone agrees that its bread is the best in the valley.';
const CITY =
  'Tram drivers learn to read rails by ear: worn steel hums, fresh welds click, loose bolts rattle. Before dawn, depot ' +
  'crews check brakes, doors, sand boxes, heaters. Maps printed during nineteen fifty show forty routes; twelve survive ' +
  'today. Some passengers collect paper tickets, others photograph numbered cars. Engineers plan quieter wheels, lower ' +
  'floors, wider aisles, brighter signs. Newcomers ask which stop serves city hall, harbour, museum, market, stadium.';
const STORY = 'Human: Tell me a story about a lighthouse keeper who finds a letter. Assistant: It was';

/** An edit of which no two tokens in a row stand before, in the prompt or in itself: no draft is ever right. */
export function unlike(tokenizer: Tokenizer, newTokens: number): Text {
  const prompt = alignPrompt(tokenizer, QUESTION, MILL);
  return {
    ...prompt,
    name: 'replay of an edit that repeats nothing',
    newTokens,
    forcedIds: withoutRepeats(prompt.promptIds, encodeText(tokenizer, CITY)).slice(0, newTokens),
  };
}

/** What the model makes of it, which is new but for a phrase now and then. */
export function story(tokenizer: Tokenizer, newTokens: number): Text {
  return { name: 'own text, a story', promptIds: [...tokenizer.encode(STORY)], promptText: STORY, newTokens };
}

/** What SmolLM2 copies in every variant, once it was shown what is wanted: word for word but for a comma now and then. */
export function corrected(tokenizer: Tokenizer, newTokens: number): Text {
  const before = `Original: ${CITY}\n\nCorrected: ${CITY}\n\nOriginal:`;
  const start = tokenizer.encode(before).length;
  const promptIds = [...tokenizer.encode(`${before} ${MILL}\n\nCorrected:`)];
  const answerRange = [start, start + encodeText(tokenizer, ` ${MILL}`).length] as const;
  return { name: 'own text, a copy', promptIds, answerRange, newTokens };
}

/** The example of MetaAligner's README and the edit that it prints, whole. */
export function published(tokenizer: Tokenizer): Text {
  const { context, answer, edit, objectives } = PUBLISHED;
  const forcedIds = encodeText(tokenizer, edit);
  return {
    ...alignPrompt(tokenizer, context, answer, objectives),
    name: 'replay of the README’s example',
    newTokens: forcedIds.length,
    forcedIds,
  };
}

/** What the built-in aligner writes: a copy but for its first sentence. */
export function rudeReply(tokenizer: Tokenizer, newTokens: number): Text {
  const answer =
    'What a lazy question. Plants turn yellow when they get too much water, so let the soil dry first. Then move them ' +
    'into the light. Take off the leaves that are dry, and give them water in the morning. A pot needs a hole, so that the ' +
    'water can leave it. In the winter most plants need less of it, and in the summer more.';
  const context = 'Human: The plants in my garden turn yellow. What can I do?\n\nAssistant:';
  return { ...alignPrompt(tokenizer, context, answer), name: 'own text, a copy', newTokens };
}

/** One long dialogue with two answers. */
export function twoAnswers(tokenizer: Tokenizer, contextTokens: number): [before: Text, after: Text] {
  const turn = `Human: What else is there to see? Assistant: ${MILL} ${CITY} `;
  const turns = Math.ceil(contextTokens / encodeText(tokenizer, turn).length);
  const context = `${turn.repeat(turns)}Human: Thank you! Assistant:`;
  const texts = [MILL, CITY].map((answer) => ({
    ...alignPrompt(tokenizer, context, answer),
    name: 'long dialogue, other answer',
    newTokens: 1,
  }));
  return texts as [Text, Text];
}

function alignPrompt(
  tokenizer: Tokenizer,
  context: string,
  answer: string,
  keys = ['harmlessness', 'helpfulness', 'humour'],
): Pick<Text, 'promptIds' | 'promptText' | 'answerRange'> {
  const objectives = keys.map((key) => findObjective(key, 'hh-rlhf'));
  const request = { objectives, context, answer, template: 'hh-rlhf', promptStyle: 'bare' } as const;
  const promptText = buildPrompt(request);
  const promptIds = tokenizer.encode(promptText);
  return { promptIds: [...promptIds], promptText, answerRange: findAnswer(request, { tokenizer }, promptIds) };
}

/** As it stands within a text: no BOS. */
function encodeText(tokenizer: Tokenizer, text: string): number[] {
  return [...tokenizer.encode(text).subarray(tokenizer.encode('').length)];
}

function withoutRepeats(promptIds: readonly number[], ids: readonly number[]): number[] {
  const seen = new Set(promptIds);
  return ids.filter((id) => {
    const isNew = !seen.has(id);
    seen.add(id);
    return isNew;
  });
}
