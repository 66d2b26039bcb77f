import { type Command, InvalidArgumentError, Option } from 'commander';
import { align, type AlignerModel, encodePrompt } from '../../src/align/align.ts';
import type { AlignEvent } from '../../src/align/edit.ts';
import type { SamplingOptions } from '../../src/align/engine.ts';
import { TEMPLATE_IDS, type TemplateId } from '../../src/align/prompt.ts';
import { type AlignRequest, checkRequest, DEFAULT_MAX_NEW_TOKENS, GREEDY } from '../../src/align/request.ts';
import { type Variant, VARIANTS } from '../../src/align/variant.ts';
import { openNodeFolder } from '../../src/weights/node-folder.ts';
import type { ModelFolder } from '../../src/weights/node-model-folders.ts';
import { findModel } from '../model-lookup.ts';
import { addRequestOptions, familyOption, readObjectives, readTexts, type RequestOptions } from '../request-options.ts';
import { interruptSignal, note, print } from '../terminal.ts';
import { asUsage, EXIT, UsageError } from '../usage-error.ts';

interface AlignOptions extends RequestOptions, Partial<SamplingOptions> {
  model: string;
  family?: TemplateId;
  variant?: Variant;
  maxNewTokens: number;
  useCheckpointSettings?: true;
  threads?: number;
  json?: true;
}

type EditEnd = Extract<AlignEvent, { type: 'edit-end' }>;

export function addAlignCommand(program: Command): void {
  const command = program
    .command('align')
    .description('rewrite an answer; the edit goes to standard output as it is written')
    .requiredOption('--model <folder|id>', 'converted folder, or the id of one (see “metaaligner models”)')
    .addOption(familyOption('whose template is filled; by default the model’s own'));
  const checkpointConflicts = ['temperature', 'topK', 'topP', 'repetitionPenalty'];
  addRequestOptions(command)
    .addOption(new Option('--variant <variant>', 'of those that the model has').choices(VARIANTS))
    .option(
      '--max-new-tokens <number>',
      'longest edit; less where the context ends',
      parseNumber,
      DEFAULT_MAX_NEW_TOKENS,
    )
    .option('--temperature <number>', '0 is greedy: the same request gives the same edit', parseNumber)
    .option('--top-k <number>', 'keep the k likeliest tokens; 0 keeps all', parseNumber)
    .option('--top-p <fraction>', 'keep the likeliest tokens of this total probability', parseNumber)
    .option('--repetition-penalty <number>', '1 is off', parseNumber)
    .option('--seed <number>', 'of sampling; the same seed gives the same edit', parseNumber)
    .addOption(
      new Option('--use-checkpoint-settings', 'sample as the checkpoint’s generation_config.json says').conflicts(
        checkpointConflicts,
      ),
    )
    .option('--threads <number>', 'of the CPU; by default one for each core', parseNumber)
    .option(
      '--json',
      'print one object at the end: edit, finishReason, promptTokenIds (with BOS), tokenIds (without EOS), usage, timings, model, variant, device',
    )
    .action(run);
}

async function run(options: AlignOptions): Promise<void> {
  const folder = await findModel(options.model);
  const template = options.family ?? folder.manifest.family;
  if (template === undefined) {
    throw new UsageError(`The family of ${folder.id} is not known; say --family ${TEMPLATE_IDS.join('|')}.`);
  }
  const request: AlignRequest = {
    objectives: readObjectives(options, template),
    ...(await readTexts(options)),
    template,
    promptStyle: options.promptStyle,
    maxNewTokens: options.maxNewTokens,
    sampling: options.useCheckpointSettings ? 'checkpoint' : samplingOf(options),
  };
  asUsage(() => checkRequest(request));
  const signal = interruptSignal();
  const { model, variant } = await load(folder, options, signal);
  try {
    note(`${folder.id}, ${variant}, on the ${model.engine.device.toUpperCase()}.`);
    const end = await write(withSeed(request, options, model), model, signal, options.json !== true);
    if (options.json) {
      const { edit, finishReason, tokenIds, usage, timings } = end;
      const promptTokenIds = [...encodePrompt(request, model)];
      const { device } = model.engine;
      const result = {
        edit,
        finishReason,
        promptTokenIds,
        tokenIds,
        usage,
        timings,
        model: folder.id,
        variant,
        device,
      };
      await print(`${JSON.stringify(result)}\n`);
    }
    report(end, process.stdout.isTTY && !options.json);
    if (end.finishReason === 'cancelled') process.exitCode = EXIT.interrupted;
  } finally {
    await model.engine.dispose();
  }
}

async function load(
  { manifest, directory }: ModelFolder,
  { variant, threads }: AlignOptions,
  signal: AbortSignal,
): Promise<{ model: AlignerModel; variant: Variant }> {
  const held = Object.keys(manifest.variants);
  if (variant !== undefined && !held.includes(variant)) {
    throw new UsageError(`${directory} has no ${variant}. It holds: ${held.join(', ')}.`);
  }
  // ORT is a large library; what only checks the usage does not wait for it.
  const { loadModel } = await import('../../src/engines/load-model.ts');
  const { NODE_SUPPORT } = await import('../../src/engines/choose-variant.ts');
  const { startNodeEngine } = await import('../../src/engines/node-engine.ts');
  const loaded = await loadModel(await openNodeFolder(directory), {
    support: NODE_SUPPORT,
    wish: { device: 'cpu', variant: variant ?? 'auto' },
    startEngine: startNodeEngine({ directory, ...(threads !== undefined && { threads }) }),
    signal,
  });
  return { model: loaded.model, variant: loaded.choice.variant };
}

/** The checkpoint has settings but no seed of its own. */
function withSeed(request: AlignRequest, { seed }: AlignOptions, model: AlignerModel): AlignRequest {
  if (request.sampling !== 'checkpoint' || seed === undefined) return request;
  return { ...request, sampling: { ...model.checkpointSampling, seed } };
}

/** @returns the end of the edit, after its text was printed when `isStreamed` */
async function write(
  request: AlignRequest,
  model: AlignerModel,
  signal: AbortSignal,
  isStreamed: boolean,
): Promise<EditEnd> {
  let end: EditEnd | undefined;
  for await (const event of align(request, model, signal)) {
    switch (event.type) {
      case 'edit-start':
        note(`Prompt: ${event.promptTokens} tokens.`);
        if (event.maxNewTokens < event.requestedNewTokens) {
          note(`The model has room for ${event.maxNewTokens} of the ${event.requestedNewTokens} new tokens asked for.`);
        }
        break;
      case 'edit-delta':
        if (isStreamed) await print(event.text);
        break;
      case 'edit-end':
        end = event;
        break;
      default:
        event satisfies never;
    }
  }
  if (end === undefined) throw new Error('A run ended without edit-end; this is a bug.');
  return end;
}

function report({ finishReason, usage, timings }: EditEnd, needsNewline: boolean): void {
  const rate = timings.tokensPerSecond === undefined ? '' : `, ${timings.tokensPerSecond.toFixed(1)} tokens/s`;
  const why = { stop: 'Finished', length: 'Cut off at the limit', cancelled: 'Interrupted' }[finishReason];
  note(
    `${needsNewline ? '\n' : ''}${why}: ${usage.editTokens} tokens in ${(timings.totalMs / 1000).toFixed(1)} s${rate}.`,
  );
}

function samplingOf(options: AlignOptions): SamplingOptions {
  const { temperature, topK, topP, repetitionPenalty, seed } = options;
  const given = Object.entries({ temperature, topK, topP, repetitionPenalty, seed }).filter(
    ([, value]) => value !== undefined,
  );
  return { ...GREEDY, ...Object.fromEntries(given) };
}

function parseNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('It must be a number.');
  return value;
}
