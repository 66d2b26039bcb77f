import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { checkSampling } from '../../../src/align/request.ts';
import { ENDPOINT_HELP, readApiKey } from '../../api-key.ts';
import { readColumns } from '../../batch/read-rows.ts';
import { addSamplingOptions, parseCount, type SamplingCommandOptions, samplingOf } from '../../generate-options.ts';
import { answerFile, type AnswerSummary } from '../../imhi/answer-file.ts';
import {
  type AnswerLimits,
  createEndpointQueryRunner,
  ENDPOINT_INTERFACES,
  type EndpointInterface,
  startLocalQueryRunner,
} from '../../imhi/query-runners.ts';
import { RESPONSIBLE_USE } from '../../imhi/responsible-use.ts';
import { findModel } from '../../model-lookup.ts';
import { interruptSignal, note } from '../../terminal.ts';
import { asUsage, EXIT, UsageError } from '../../usage-error.ts';
import { listOutputs, type OutputFile } from './outputs.ts';

/** What holds the references in the published files, and in our own outputs. */
const GOLDENS_COLUMNS = ['gpt-3.5-turbo', 'goldens'];

interface ImhiGenerateOptions extends SamplingCommandOptions {
  model: string;
  endpoint?: string;
  api: EndpointInterface;
  input: string;
  outputs: string;
  datasets?: string;
  goldensColumn?: string;
  maxLength: number;
  maxNewTokens?: number;
  limit?: number;
  concurrency: number;
  batchSize: number;
  retryFailed?: true;
  restart?: true;
}

export function addImhiGenerateCommand(imhi: Command): void {
  const command = imhi
    .command('generate')
    .description('a model’s answers to the queries, in no template; the same command goes on where it was stopped')
    .requiredOption('--model <folder|id>', 'converted model; with --endpoint, its name there')
    .requiredOption(
      '--input <folder>',
      'the instruction, completion or expert set: CSV files with columns query, gpt-3.5-turbo, each named after its data set',
    )
    .requiredOption('--outputs <folder>', 'for NAME.csv with columns query, goldens, generated_text')
    .option('--datasets <names>', 'comma-separated; by default all files')
    .option('--goldens-column <name>', `by default ${GOLDENS_COLUMNS.join(' or ')}`)
    .option('--endpoint <url>', ENDPOINT_HELP)
    .addOption(
      new Option(
        '--api <interface>',
        'of the endpoint; chat for servers without completions: the query is one message, and the server’s template counts among the tokens',
      )
        .choices(ENDPOINT_INTERFACES)
        .default('completions'),
    )
    .option('--max-length <number>', 'tokens of query and answer together', parseCount, 2048)
    .option('--max-new-tokens <number>', 'tokens of the answer; by default what --max-length leaves', parseCount)
    .option('--limit <number>', 'the first so many rows of each file', parseCount)
    .option('--concurrency <number>', 'requests at a time to the endpoint', parseCount, 8)
    .option('--batch-size <number>', 'rows at a time on this machine; they share each step', parseCount, 4)
    .option('--retry-failed', 'try rows again that failed before')
    .option('--restart', 'forget what an earlier run finished, and replace its output');
  addSamplingOptions(command).action(run);
}

async function run(options: ImhiGenerateOptions): Promise<void> {
  if (resolve(options.input) === resolve(options.outputs)) {
    throw new UsageError('--outputs is the folder of --input: its files would be replaced.');
  }
  const files = chooseFiles(await listOutputs(options.input), options);
  const goldensColumns: string[] = [];
  for (const file of files) goldensColumns.push(await goldensColumnOf(file, options));
  asUsage(() => checkSampling(samplingOf(options)));
  const { maxLength, maxNewTokens } = options;
  const limits: AnswerLimits = { maxLength, maxNewTokens };
  const signal = interruptSignal();
  const runner =
    options.endpoint === undefined
      ? await startLocalQueryRunner(await findModel(options.model), limits, options, signal)
      : createEndpointQueryRunner(endpointOf(options), limits, options);
  try {
    await mkdir(options.outputs, { recursive: true });
    for (const [i, { dataset, path }] of files.entries()) {
      const job = {
        dataset,
        inputPath: path,
        goldensColumn: goldensColumns[i]!,
        outputPath: join(options.outputs, `${dataset}.csv`),
        limits,
        limit: options.limit,
        isRestarted: options.restart === true,
        isRetryingFailed: options.retryFailed === true,
      };
      report(job.outputPath, await answerFile(job, runner, signal));
    }
    note(RESPONSIBLE_USE);
  } catch (error) {
    if (!signal.aborted) throw error;
    note('Interrupted. Run the same command to go on.');
    process.exitCode = EXIT.interrupted;
  } finally {
    await runner.dispose();
  }
}

function endpointOf({ endpoint: url = '', model }: ImhiGenerateOptions) {
  if (!URL.canParse(url)) throw new UsageError(`--endpoint ${url} is no address.`);
  return { url, model, apiKey: readApiKey() };
}

function chooseFiles(files: OutputFile[], { datasets, input }: ImhiGenerateOptions): OutputFile[] {
  if (datasets === undefined) return files;
  return datasets.split(',').map((text) => {
    const file = files.find(({ dataset }) => dataset === text.trim());
    if (file !== undefined) return file;
    throw new UsageError(
      `${input} has no ${text.trim()}.csv. It has: ${files.map(({ dataset }) => dataset).join(', ')}.`,
    );
  });
}

async function goldensColumnOf({ path }: OutputFile, { goldensColumn }: ImhiGenerateOptions): Promise<string> {
  const columns = await readColumns({ path, format: 'csv' });
  const column = (goldensColumn === undefined ? GOLDENS_COLUMNS : [goldensColumn]).find((one) => columns.includes(one));
  if (column !== undefined && columns.includes('query')) return column;
  const wanted = goldensColumn ?? GOLDENS_COLUMNS.join(' or ');
  throw new UsageError(`${path} needs the columns query and ${wanted}; it has ${columns.join(', ') || 'none'}.`);
}

function report(path: string, { answered, failed, resumed, cutOff }: AnswerSummary): void {
  const parts = [`${path}: ${answered} answers`];
  if (failed > 0) parts.push(`${failed} failed`);
  if (cutOff > 0) parts.push(`${cutOff} ended at the length`);
  if (resumed > 0) parts.push(`(${resumed} finished before)`);
  note(parts.join(', ').replace(', (', ' ('));
}
