import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { familyOfName } from '../../src/align/catalogue.ts';
import { customObjective, findObjective } from '../../src/align/objectives.ts';
import { PROMPT_STYLES, type PromptStyle, TEMPLATE_IDS, type TemplateId } from '../../src/align/prompt.ts';
import { checkRequest } from '../../src/align/request.ts';
import { type ColumnMap, guessColumns, REFERENCE_COLUMNS } from '../../src/batch/columns.ts';
import { ON_TOO_LONG, type OnTooLong } from '../../src/batch/fit-context.ts';
import { ROW_FORMATS, type RowFormat, rowFormatOf } from '../../src/batch/row-format.ts';
import { parseCondition, parseShard, type Selection } from '../../src/batch/select-rows.ts';
import { ENDPOINT_HELP, readApiKey } from '../api-key.ts';
import type { Job, ObjectiveSet, QueryFile, Runner } from '../batch/job.ts';
import { readColumns, type RowFile } from '../batch/read-rows.ts';
import { type CheckedJob, checkJob, type JobSummary, runJob } from '../batch/run-job.ts';
import { createEndpointRunner, startLocalRunner } from '../batch/runners.ts';
import { addGenerateOptions, type GenerateCommandOptions, parseCount, samplingOf } from '../generate-options.ts';
import { findModel } from '../model-lookup.ts';
import { familyOption } from '../request-options.ts';
import { interruptSignal, note } from '../terminal.ts';
import { asUsage, EXIT, UsageError } from '../usage-error.ts';

interface BatchOptions extends GenerateCommandOptions {
  model: string;
  family?: TemplateId;
  promptStyle: PromptStyle;
  dataDir?: string;
  alignedModel?: string;
  modelOutputPath?: string;
  input?: string[];
  output?: string;
  objectives?: string[];
  objective?: string[];
  long?: true;
  queryFile?: string;
  queryColumn?: string;
  answerColumn?: string;
  goldensColumn?: string;
  limit?: number;
  where?: string[];
  shard?: string;
  onTooLong: OnTooLong;
  retryFailed?: true;
  restart?: true;
  batchSize: number;
  cuda?: true;
  llama?: true;
  endpoint?: string;
  concurrency: number;
}

export function addBatchCommand(program: Command): void {
  const collect = (value: string, previous: string[] = []) => [...previous, value];
  const command = program
    .command('batch')
    .description('rewrite all answers of a file; the same command goes on where it was stopped (docs/batch.md)')
    .requiredOption('--aligner_path, --model <folder|id>', 'converted model; with --endpoint, its name there')
    .addOption(familyOption('whose template is filled; by default the model’s own'))
    .option('--data_dir, --data-dir <folder>', 'folder of NAME.csv with the columns query, goldens, generated_text')
    .option('--aligned_model, --aligned-model <name>', 'NAME: the model whose answers they are')
    .option('--model_output_path, --model-output-path <folder>', 'folder for NAME.csv')
    .option('--input <file>', 'CSV, TSV or JSONL instead; a folder, *.csv in quotes, or repeated for several', collect)
    .option('--output <path>', 'file to write; a folder for several inputs')
    .option('--aspects, --objectives <keys>', 'comma-separated, in order; repeated: one more set, NAME=KEYS', collect)
    .option('--objective <text>', 'one in your own words for every set, "Name: description"; may be repeated', collect)
    .option('--long', 'with several sets: a row for each, instead of a column')
    .option('--query-file <path>', 'contexts from another file, row for row; a folder: from its file of the same name')
    .option('--query-column <name>', 'by default query, context, question, prompt, …; JSONL may hold messages')
    .option('--answer-column <name>', 'by default generated_text, answer, response, …')
    .option('--goldens-column <name>', 'copied; by default goldens where there is one')
    .option('--where <condition>', 'rows with COLUMN=TEXT, !=, ~ (regular expression), !~; repeated: and', collect)
    .option('--limit <number>', 'the first so many of them', parseCount)
    .option('--shard <i/n>', 'part i of n of them; outputs one after the other are the whole')
    .addOption(
      new Option('--on-too-long <what>', 'for a prompt that does not fit the context')
        .choices(ON_TOO_LONG)
        .default('error'),
    )
    .option('--retry-failed', 'try rows again that failed before')
    .option('--restart', 'forget what an earlier run finished, and replace its output')
    .option('--endpoint <url>', ENDPOINT_HELP)
    .option('--concurrency <number>', 'requests at a time to the endpoint', parseCount, 8)
    .option(
      '--batch_size, --batch-size <number>',
      'rows at a time on this machine; they share each step',
      parseCount,
      4,
    )
    .option('--cuda', 'accepted; runs on the CPU')
    .option('--llama', 'accepted; all models are')
    .addOption(
      new Option('--prompt-style <style>', 'the published template bare, or inside the Vicuna conversation')
        .choices(PROMPT_STYLES)
        .default('bare'),
    );
  addGenerateOptions(command).action(run);
}

async function run(options: BatchOptions): Promise<void> {
  const files = await chooseFiles(options);
  const selection: Selection = {
    where: (options.where ?? []).map((text) => asUsage(() => parseCondition(text))),
    limit: options.limit,
    shard: options.shard === undefined ? undefined : asUsage(() => parseShard(options.shard ?? '')),
  };
  const folder = options.endpoint === undefined ? await findModel(options.model) : undefined;
  const template = options.family ?? folder?.manifest.family ?? familyOfName(options.model);
  if (template === undefined) {
    throw new UsageError(`The family of ${options.model} is not known; say --family ${TEMPLATE_IDS.join('|')}.`);
  }
  const sets = readSets(options, template);
  const settings: Job['settings'] = {
    template,
    promptStyle: options.promptStyle,
    maxNewTokens: options.maxNewTokens,
    sampling: options.useCheckpointSettings ? 'checkpoint' : samplingOf(options),
  };
  for (const { objectives } of sets) {
    asUsage(() => checkRequest({ ...settings, objectives, context: '', answer: 'any' }));
  }
  if (options.cuda) note('--cuda: this command runs on the CPU.');

  const signal = interruptSignal();
  const runner = folder === undefined ? endpointRunner(options) : await startLocalRunner(folder, options, signal);
  try {
    await runAll(files, { options, selection, sets, settings, runner, signal });
  } catch (error) {
    if (!signal.aborted) throw error;
    note('Interrupted. Run the same command to go on.');
    process.exitCode = EXIT.interrupted;
  } finally {
    await runner.dispose();
  }
}

interface Shared {
  options: BatchOptions;
  selection: Selection;
  sets: ObjectiveSet[];
  settings: Job['settings'];
  runner: Runner;
  signal: AbortSignal;
}

async function runAll(files: readonly FilePair[], shared: Shared): Promise<void> {
  const { options, selection, sets, settings, runner, signal } = shared;
  const jobs: CheckedJob[] = [];
  // All of them first: the last file's fault is not found after hours of the others.
  for (const { input, output, isReference } of files) {
    const queries = await chooseQueries(input, options);
    const isAsReference = isReference && queries === undefined;
    const job: Job = {
      input,
      queries,
      output: { ...output, path: withShard(output.path, selection) },
      columns: isAsReference ? REFERENCE_COLUMNS : await chooseColumns(input, options, queries),
      sets,
      isLong: options.long === true,
      selection,
      settings,
      onTooLong: options.onTooLong,
      isRestarted: options.restart === true,
      isRetryingFailed: options.retryFailed === true,
    };
    jobs.push(await checkJob(job, runner, signal));
  }
  for (const job of jobs) report(job.output.path, await runJob(job, runner, signal));
}

function endpointRunner({ endpoint = '', model, concurrency }: BatchOptions): Runner {
  if (!URL.canParse(endpoint)) throw new UsageError(`--endpoint ${endpoint} is no address.`);
  return createEndpointRunner({ url: endpoint, model, apiKey: readApiKey() }, concurrency);
}

/** @throws UsageError for two sets of one name: their columns could not be told apart */
function readSets({ objectives: lists = [], objective = [] }: BatchOptions, template: TemplateId): ObjectiveSet[] {
  const own = objective.map((text) => {
    const colon = text.indexOf(':');
    if (colon < 0) throw new UsageError(`--objective “${text}” has no colon; write it as "Name: description".`);
    return asUsage(() => customObjective(text.slice(0, colon), text.slice(colon + 1)));
  });
  const sets = (lists.length === 0 ? [''] : lists).map((list) => {
    const equals = list.indexOf('=');
    const keys = list
      .slice(equals + 1)
      .split(',')
      .map((key) => key.trim());
    const known = list === '' ? [] : keys.map((key) => findObjective(key, template));
    const objectives = [...known, ...own];
    const name = equals < 0 ? objectives.map(({ key }) => key).join('+') : list.slice(0, equals).trim();
    return { name, objectives };
  });
  if (sets.some(({ objectives }) => objectives.length === 0)) {
    throw new UsageError('No objective is given; use --objectives or --objective.');
  }
  const twice = sets.find(({ name }, i) => sets.findIndex((other) => other.name === name) < i);
  if (twice !== undefined) throw new UsageError(`Two objective sets have the name “${twice.name}”.`);
  return sets;
}

interface FilePair {
  input: RowFile;
  output: RowFile;
  /** With exactly the reference's columns. */
  isReference: boolean;
}

/** @throws UsageError when the options name no file, one that is not there, or two outputs of one name */
async function chooseFiles(options: BatchOptions): Promise<FilePair[]> {
  const { dataDir, alignedModel, modelOutputPath, input, output } = options;
  if (input === undefined && output === undefined) {
    if (dataDir === undefined || alignedModel === undefined || modelOutputPath === undefined) {
      throw new UsageError(
        'No file is given; use --input and --output, or --data-dir, --aligned-model and --model-output-path.',
      );
    }
    const name = `${alignedModel}.csv`;
    const pair = { input: join(dataDir, name), output: join(modelOutputPath, name) };
    return [await checkedPair(pair.input, pair.output, true)];
  }
  if (input === undefined || output === undefined || dataDir !== undefined || alignedModel !== undefined) {
    throw new UsageError('--input and --output go together, and without --data-dir and --aligned-model.');
  }
  const inputs = (await Promise.all(input.map(expand))).flat();
  const isFolder = inputs.length > 1 || (await isDirectory(output)) || rowFormatOf(output) === undefined;
  const pairs = await Promise.all(
    inputs.map((path) =>
      checkedPair(path, isFolder ? join(output, basename(path).replace(/\.gz$/i, '')) : output, false),
    ),
  );
  const names = pairs.map((pair) => pair.output.path.replace(/\.[^.]+$/, ''));
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined) throw new UsageError(`Two inputs would be written to ${twice}.`);
  return pairs;
}

async function checkedPair(input: string, output: string, isReference: boolean): Promise<FilePair> {
  const file = await checkedFile(input);
  if (/\.gz$/i.test(output)) throw new UsageError(`${output} is written plain; leave .gz out of its name.`);
  if (resolve(input) === resolve(output)) throw new UsageError(`${input} cannot be both input and output.`);
  return { input: file, output: { path: output, format: formatOf(output) }, isReference };
}

async function checkedFile(path: string): Promise<RowFile> {
  const format = formatOf(path);
  const status = await stat(path).catch((cause: unknown) => {
    throw new UsageError(`The file ${path} does not exist or cannot be read.`, { cause });
  });
  if (!status.isFile()) throw new UsageError(`${path} is no file.`);
  return { path, format };
}

function formatOf(path: string): RowFormat {
  const format = rowFormatOf(path);
  if (format === undefined) throw new UsageError(`${path} must end in ${ROW_FORMATS.join(', ')}.`);
  return format;
}

/** The files of a folder, of a pattern in the last part of a path, or the path itself; sorted. */
async function expand(path: string): Promise<string[]> {
  // What earlier runs left beside their outputs.
  const isOurs = (name: string) => /\.(journal|errors)\.jsonl$/.test(name);
  if (await isDirectory(path)) {
    const names = (await readdir(path)).filter((name) => rowFormatOf(name) !== undefined && !isOurs(name)).sort();
    if (names.length === 0) throw new UsageError(`${path} holds no file that ends in ${ROW_FORMATS.join(', ')}.`);
    return names.map((name) => join(path, name));
  }
  const pattern = basename(path);
  if (!/[*?]/.test(pattern) || (await stat(path).catch(() => undefined)) !== undefined) return [path];
  const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, String.raw`\$&`);
  const regExp = new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`, 's');
  const names = (await readdir(dirname(path)).catch(() => [])).filter((name) => regExp.test(name) && !isOurs(name));
  if (names.length === 0) throw new UsageError(`No file is like ${path}.`);
  return names.sort().map((name) => join(dirname(path), name));
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (status) => status.isDirectory(),
    () => false,
  );
}

async function chooseColumns(input: RowFile, options: BatchOptions, queries?: QueryFile): Promise<ColumnMap> {
  const { queryColumn, answerColumn, goldensColumn } = options;
  const found = await readColumns(input);
  // A column of the input's own may be called so as well, and be the answer, or what --where looks at.
  const ofQueryFile = found.includes(REFERENCE_COLUMNS.query) ? 'query of the query file' : REFERENCE_COLUMNS.query;
  const query = queries === undefined ? queryColumn : ofQueryFile;
  return guessColumns(found, {
    ...(query !== undefined && { query }),
    ...(answerColumn !== undefined && { answer: answerColumn }),
    ...(goldensColumn !== undefined && { goldens: goldensColumn }),
  });
}

/** @throws UsageError when the file is not there */
async function chooseQueries(
  { path: input }: RowFile,
  { queryFile, queryColumn }: BatchOptions,
): Promise<QueryFile | undefined> {
  if (queryFile === undefined) return undefined;
  const file = await checkedFile((await isDirectory(queryFile)) ? join(queryFile, basename(input)) : queryFile);
  const { query } = guessColumns(await readColumns(file), queryColumn === undefined ? {} : { query: queryColumn });
  return { file, column: query };
}

/** Machines that share a folder do not write over each other. */
function withShard(path: string, { shard }: Selection): string {
  if (shard === undefined) return path;
  return path.replace(/\.[^.]+$/, (ending) => `.shard-${shard.number}-of-${shard.count}${ending}`);
}

function report(path: string, { edited, failed, resumed }: JobSummary): void {
  const before = resumed === 0 ? '' : ` (${resumed} finished before)`;
  note(`${path}: ${edited} edits, ${failed} failed${before}.`);
  if (failed > 0)
    note(`The rows that failed have an empty edit; why is in ${path.replace(/\.[^.]+$/, '.errors.jsonl')}.`);
}
