import { type Command, Option } from 'commander';
import { customObjective, findObjective, type Objective, OBJECTIVES } from '../src/align/objectives.ts';
import { PROMPT_STYLES, type PromptStyle, TEMPLATE_IDS, type TemplateId } from '../src/align/prompt.ts';
import { readTextExactly, TEXT_SOURCE_HELP } from './texts.ts';
import { asUsage, UsageError } from './usage-error.ts';

/** The options that make a prompt; `align` and `prompt` share them. */
export interface RequestOptions {
  objectives?: string;
  objective?: string[];
  context?: string;
  answer?: string;
  promptStyle: PromptStyle;
}

export function addRequestOptions(command: Command): Command {
  const collect = (value: string, previous: string[] = []) => [...previous, value];
  return command
    .option('--objectives <keys>', 'comma-separated objectives, in the order of the prompt (listed below)')
    .option('--objective <text>', 'one in your own words, "Name: description"; may be repeated', collect)
    .option('--context <file>', `dialogue, query or question; none is empty. ${TEXT_SOURCE_HELP}`)
    .option('--answer <file>', 'the answer to improve, read in the same way')
    .addOption(
      new Option('--prompt-style <style>', 'the published template bare, or inside the Vicuna conversation')
        .choices(PROMPT_STYLES)
        .default('bare'),
    )
    .addHelpText('after', () => `\nObjectives:\n${objectiveList()}`);
}

export function familyOption(description: string): Option {
  return new Option('--family <family>', description).choices(TEMPLATE_IDS);
}

/**
 * The objectives of `--objectives`, then those of `--objective`.
 *
 * @throws AlignError `unknown-name` with the list of what exists; UsageError when there is none
 */
export function readObjectives(options: RequestOptions, template: TemplateId): Objective[] {
  const keys = options.objectives?.split(',').map((key) => key.trim()) ?? [];
  const own = (options.objective ?? []).map((text) => {
    const colon = text.indexOf(':');
    if (colon < 0) throw new UsageError(`--objective “${text}” has no colon; write it as "Name: description".`);
    return asUsage(() => customObjective(text.slice(0, colon), text.slice(colon + 1)));
  });
  const objectives = [...keys.map((key) => findObjective(key, template)), ...own];
  if (objectives.length === 0) {
    throw new UsageError(`No objective is given; use --objectives or --objective. Known:\n${objectiveList()}`);
  }
  return objectives;
}

/** @throws UsageError when there is no answer, or both texts are standard input */
export async function readTexts(options: RequestOptions): Promise<{ context: string; answer: string }> {
  const { context, answer } = options;
  if (answer === undefined) throw new UsageError('No answer is given; use --answer FILE.');
  if (context === '-' && answer === '-') {
    throw new UsageError('Standard input can be the context or the answer, not both.');
  }
  return {
    context: context === undefined ? '' : await readTextExactly(context),
    answer: await readTextExactly(answer),
  };
}

function objectiveList(): string {
  const width = Math.max(...OBJECTIVES.map(({ key }) => key.length));
  return OBJECTIVES.map(({ key, trainedIn }) =>
    `  ${key.padEnd(width)}  ${trainedIn.length === 0 ? 'no family was trained on it' : trainedIn.join(', ')}`.trimEnd(),
  ).join('\n');
}
