import type { Command } from 'commander';
import { align, type AlignerModel, encodePrompt } from '../../src/align/align.ts';
import type { AlignEvent } from '../../src/align/edit.ts';
import { TEMPLATE_IDS, type TemplateId } from '../../src/align/prompt.ts';
import { type AlignRequest, checkRequest } from '../../src/align/request.ts';
import { addGenerateOptions, type GenerateCommandOptions, loadLocalModel, samplingOf } from '../generate-options.ts';
import { findModel } from '../model-lookup.ts';
import { addRequestOptions, familyOption, readObjectives, readTexts, type RequestOptions } from '../request-options.ts';
import { interruptSignal, note, print } from '../terminal.ts';
import { asUsage, EXIT, UsageError } from '../usage-error.ts';

interface AlignOptions extends RequestOptions, GenerateCommandOptions {
  model: string;
  family?: TemplateId;
  json?: true;
}

type EditEnd = Extract<AlignEvent, { type: 'edit-end' }>;

export function addAlignCommand(program: Command): void {
  const command = program
    .command('align')
    .description('rewrite an answer; the edit goes to standard output as it is written')
    .requiredOption('--model <folder|id>', 'converted folder, or the id of one (see “metaaligner models”)')
    .addOption(familyOption('whose template is filled; by default the model’s own'));
  addGenerateOptions(addRequestOptions(command))
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
  const { model, variant } = await loadLocalModel(folder, options, signal);
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
      case 'prompt-progress':
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
