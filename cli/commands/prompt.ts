import { createReadStream } from 'node:fs';
import { access } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import type { CsvError } from 'csv-parse';
import { AlignError } from '../../src/align/errors.ts';
import type { Objective } from '../../src/align/objectives.ts';
import { buildPrompt, type TemplateId } from '../../src/align/prompt.ts';
import { checkRequest, DEFAULT_MAX_NEW_TOKENS, GREEDY } from '../../src/align/request.ts';
import { addRequestOptions, familyOption, readObjectives, readTexts, type RequestOptions } from '../request-options.ts';
import { print } from '../terminal.ts';
import { asUsage, UsageError } from '../usage-error.ts';

interface PromptOptions extends RequestOptions {
  family: TemplateId;
  input?: string;
}

export function addPromptCommand(program: Command): void {
  const command = program
    .command('prompt')
    .description('print the exact prompt that an aligner reads, without BOS and with nothing added')
    .addOption(familyOption('whose template is filled').makeOptionMandatory());
  addRequestOptions(command)
    .addOption(
      new Option(
        '--input <file.csv>',
        'prompts of all rows instead (columns query, generated_text; cells as they are, blank ones too), one JSON string a line',
      ).conflicts(['context', 'answer']),
    )
    .action(async (options: PromptOptions) => {
      const objectives = readObjectives(options, options.family);
      if (options.input === undefined) await printOne(options, objectives);
      else await printRows(options.input, options, objectives);
    });
}

async function printOne(options: PromptOptions, objectives: Objective[]): Promise<void> {
  const request = {
    objectives,
    ...(await readTexts(options)),
    template: options.family,
    promptStyle: options.promptStyle,
    maxNewTokens: DEFAULT_MAX_NEW_TOKENS,
    sampling: GREEDY,
  };
  asUsage(() => checkRequest(request));
  await print(buildPrompt(request));
}

async function printRows(path: string, options: PromptOptions, objectives: Objective[]): Promise<void> {
  const { family: template, promptStyle } = options;
  for await (const { query, generated_text } of readRows(path)) {
    const prompt = buildPrompt({ objectives, context: query, answer: generated_text, template, promptStyle });
    await print(`${JSON.stringify(prompt)}\n`);
  }
}

const COLUMNS = ['query', 'generated_text'] as const;
type Row = Record<(typeof COLUMNS)[number], string>;

/** @throws AlignError `invalid-request` with the columns found when one is missing, with the line when it is no CSV */
async function* readRows(path: string): AsyncGenerator<Row, void, void> {
  await access(path).catch((cause: unknown) => {
    throw new UsageError(`The file ${path} cannot be read.`, { cause });
  });
  const { parse } = await import('csv-parse');
  let hasHeader = false;
  const columns = (header: string[]) => {
    hasHeader = true;
    checkColumns(path, header);
    return header;
  };
  try {
    yield* createReadStream(path).pipe(parse({ bom: true, columns, relax_quotes: true })) as AsyncIterable<Row>;
  } catch (error) {
    if (error instanceof AlignError) throw error;
    const { message, lines } = error as CsvError;
    throw new AlignError('invalid-request', `${path} is not CSV at line ${String(lines)}: ${message}.`, {
      cause: error,
    });
  }
  if (!hasHeader) checkColumns(path, []);
}

function checkColumns(path: string, found: string[]): void {
  const missing = COLUMNS.filter((name) => !found.includes(name));
  if (missing.length === 0) return;
  throw new AlignError(
    'invalid-request',
    `${path} has no column ${missing.join(' and no column ')}. Its columns: ${found.join(', ') || 'none'}.`,
    { details: { missing, found } },
  );
}
