import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Aligner, localAligner } from '../../src/align/aligner.ts';
import type { EngineDevice } from '../../src/align/engine.ts';
import { AlignError } from '../../src/align/errors.ts';
import type { TemplateId } from '../../src/align/prompt.ts';
import { type Variant, VARIANTS } from '../../src/align/variant.ts';
import type { UpstreamState } from '../../server/api/metrics.ts';
import type { KeyEntry } from '../../server/keys.ts';
import { loadLocalModel, parseCount } from '../generate-options.ts';
import { findModel } from '../model-lookup.ts';
import { packageVersion } from '../package-version.ts';
import { familyOption } from '../request-options.ts';
import { interruptSignal, note } from '../terminal.ts';
import { openUpstreamAligner, UPSTREAM_KEY_VARIABLE } from '../upstream-aligner.ts';
import { UsageError } from '../usage-error.ts';
import { parseOrigin, parsePort, untilStopped } from './start.ts';

interface ServeOptions {
  engine: 'onnx' | 'llama-cpp' | 'openai';
  model?: string;
  variant?: Variant;
  device?: ServeDevice;
  threads?: number;
  contextLength?: number;
  upstream?: string[];
  upstreamModel?: string;
  family?: TemplateId;
  stall: number;
  host: string;
  port: number;
  keysFile?: string;
  allowHost?: string[];
  allowOrigin: string[];
  page: boolean;
  grace: number;
  models: string;
  mirror: string[];
  server: string[];
  concurrency?: number;
  queue: number;
  deadline: number;
  logTexts: boolean;
}

const LOCAL_CONCURRENCY = 4;

const DEVICES = ['auto', 'cuda', 'webgpu', 'vulkan', 'metal', 'cpu'] as const;
type ServeDevice = (typeof DEVICES)[number];

export function addServeCommand(program: Command): void {
  const collect = (value: string, previous: string[] = []) => [...previous, value];
  program
    .command('serve')
    .description('run a model for other programs, over HTTP, beside the page (docs/server.md)')
    .addOption(
      new Option(
        '--engine <engine>',
        'onnx: converted models; llama-cpp: GGUFs, with node-llama-cpp installed; openai: behind servers such as vLLM',
      )
        .choices(['onnx', 'llama-cpp', 'openai'])
        .default('onnx'),
    )
    .option(
      '--model <folder|id>',
      'converted model, by default demo-aligner; with llama-cpp a GGUF; with openai the checkpoint whose tokenizer is used, by default none',
    )
    .addOption(new Option('--variant <variant>', 'of those that the model has').choices(VARIANTS))
    .addOption(
      new Option(
        '--device <device>',
        'auto, the default: a GPU where there is one that the engine runs on, else the CPU; onnx has cuda and webgpu, llama-cpp cuda, vulkan and metal',
      ).choices(DEVICES),
    )
    .option('--threads <number>', 'of the CPU; by default one for each core', parseCount)
    .option('--context-length <tokens>', 'for llama-cpp: less than the model’s own takes less memory', parseCount)
    .option(
      '--upstream <url>',
      `server for openai, as http://127.0.0.1:8000/v1; may be repeated; key in ${UPSTREAM_KEY_VARIABLE}`,
      collect,
    )
    .option('--upstream-model <name>', 'its name there, where a server has several')
    .addOption(familyOption('whose template is filled; by default the model’s own'))
    .option('--stall <seconds>', 'without a byte, after which an upstream is given up', parseSeconds, 60)
    .option('--host <address>', 'to listen on; another than this machine’s own needs --keys-file', '127.0.0.1')
    .option('--port <number>', '0 takes a free one', parsePort, 4173)
    .option('--keys-file <file>', 'who may call; “metaaligner key” writes it')
    .option('--allow-host <name>', 'that the server is called by, beside localhost; may be repeated', collect)
    .option('--allow-origin <origin...>', 'of pages that may call, as https://chat.example', parseExactOrigin, [])
    .option('--no-page', 'the interface alone, without page and models')
    .option(
      '--concurrency <requests>',
      `that run at a time; by default ${LOCAL_CONCURRENCY} that share each step, or 64 for each upstream`,
      parseCount,
    )
    .option('--queue <requests>', 'that wait at most; further ones are told to come again', parseCount, 64)
    .option('--deadline <seconds>', 'of a request, its wait included', parseSeconds, 300)
    .option('--grace <seconds>', 'that requests have to finish when the server is stopped', parseSeconds, 30)
    .option('--log-texts', 'put what is asked and answered into the log, which holds none of it otherwise', false)
    .option('--models <folder>', 'folder of converted models for the page', 'models')
    .option('--mirror <origin...>', 'hosts beside the hub that the page may download models from', parseOrigin, [])
    .option('--server <origin...>', 'whose models the page may use, beside those of this machine', parseOrigin, [])
    .action(serve);
}

async function serve(options: ServeOptions): Promise<void> {
  const interrupted = interruptSignal();
  const keys = options.keysFile === undefined ? undefined : await readKeys(options.keysFile);
  const { what, ...model } = await OPENERS[options.engine](options, interrupted);
  const { ServedModel } = await import('../../server/api/served-model.ts');
  const { startServer } = await import('../../server/main.ts');
  const served = new ServedModel({
    ...model,
    version: packageVersion(),
    maxWaiting: options.queue,
    deadlineMs: options.deadline * 1000,
  });
  const log = (entry: object) => note(JSON.stringify(entry));
  const { logTexts: logsTexts } = options;
  if (logsTexts) note('The log holds the texts of all requests and edits (--log-texts).');
  const server = await startServer({
    address: options.host,
    port: options.port,
    ...(!options.page && { pageDirectory: undefined }),
    modelsDirectory: resolve(options.models),
    mirrors: options.mirror,
    servers: options.server,
    hosts: options.allowHost ?? [],
    api: { served, keys, origins: options.allowOrigin, log, logsTexts },
  }).catch(async (error: unknown) => {
    await served.close(0);
    throw error;
  });
  note(`${what} is at ${server.url}v1${options.page ? ` and the page at ${server.url}` : ''} (Ctrl-C stops it).`);
  await untilStopped(interrupted);
  const { running, waiting } = served.queue;
  if (running + waiting > 0) {
    note(`Stopping: ${running + waiting} requests have ${options.grace} s to finish (again: at once).`);
  }
  const left = await server.close(options.grace * 1000);
  if (left > 0) note(`${left} requests were not finished after ${options.grace} s; their clients were told.`);
}

/** A clock of the system counts no further: it would ring at once. */
const MOST_SECONDS = Math.floor((2 ** 31 - 1) / 1000);

function parseSeconds(text: string): number {
  const seconds = parseCount(text);
  if (seconds <= MOST_SECONDS) return seconds;
  throw new InvalidArgumentError(`It must be ${MOST_SECONDS} (24 days) at most.`);
}

/** @throws AlignError `invalid-request` */
async function readKeys(path: string): Promise<KeyEntry[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new AlignError('invalid-request', `The keys file ${path} cannot be read.`, { cause });
  }
  const { parseKeys } = await import('../../server/keys.ts');
  return parseKeys(text, path);
}

/** No `*`: who may send texts with a key from a browser is named. */
function parseExactOrigin(text: string, earlier: string[]): string[] {
  const url = URL.parse(text);
  if (url === null || url.origin !== text || !/^https?:$/.test(url.protocol)) {
    throw new InvalidArgumentError('It must be an origin such as https://chat.example, without a path.');
  }
  return [...earlier, text];
}

interface OpenedModel {
  /** For the terminal. */
  what: string;
  id: string;
  family: TemplateId | undefined;
  variant: Variant | undefined;
  aligner: Aligner;
  upstreamStates?: () => UpstreamState[];
}

const OPENERS = { onnx: openLocal, 'llama-cpp': openLlamaCpp, openai: openBehind } as const;

async function openLocal(options: ServeOptions, signal: AbortSignal): Promise<OpenedModel> {
  refuseOptionsOf(options, 'llama-cpp', 'openai');
  const { id, manifest, directory } = await findModel(options.model ?? 'demo-aligner');
  const { concurrency = LOCAL_CONCURRENCY, device: wish = 'auto' } = options;
  const { ONNX_DEVICES } = await import('../../src/engines/node-device.ts');
  const device = oneOf(ONNX_DEVICES, wish, 'onnx');
  const loading = { ...options, concurrency, device, onSkip: note };
  const { model, variant } = await loadLocalModel({ id, manifest, directory }, loading, signal);
  const family = options.family ?? manifest.family;
  const what = `${id}, ${variant}, on ${deviceName(model.engine.device)},`;
  return { what, id, family, variant, aligner: localAligner(model) };
}

async function openLlamaCpp(options: ServeOptions, signal: AbortSignal): Promise<OpenedModel> {
  refuseOptionsOf(options, 'onnx', 'openai');
  const { model: path, threads, contextLength, concurrency = LOCAL_CONCURRENCY, device: wish = 'auto' } = options;
  if (path === undefined) throw new UsageError('--engine llama-cpp needs a --model, as models/aligner.gguf.');
  const { LLAMA_CPP_DEVICES } = await import('../../src/engines/llama-cpp-engine.ts');
  const device = oneOf(LLAMA_CPP_DEVICES, wish, 'llama-cpp');
  const { loadLlamaCppModel } = await import('../llama-cpp-model.ts');
  const { id, model, ...found } = await loadLlamaCppModel(
    path,
    {
      device,
      concurrency,
      ...(threads !== undefined && { threads }),
      ...(contextLength !== undefined && { contextLength }),
    },
    signal,
  );
  const family = options.family ?? found.family;
  const what = `${id}, by llama.cpp on ${deviceName(model.engine.device)},`;
  return { what, id, family, variant: undefined, aligner: localAligner(model) };
}

/** @throws UsageError for a device of another engine */
function oneOf<Name extends ServeDevice>(names: readonly Name[], wish: ServeDevice, engine: string): Name {
  const found = names.find((name) => name === wish);
  if (found === undefined) throw new UsageError(`--engine ${engine} has the devices ${names.join(', ')}, not ${wish}.`);
  return found;
}

function deviceName(device: EngineDevice): string {
  return device === 'cpu' ? 'the CPU' : device;
}

/** Options that only some engines have. */
const OPTIONS_OF = {
  onnx: { variant: '--variant' },
  'llama-cpp': { contextLength: '--context-length' },
  openai: { upstream: '--upstream', upstreamModel: '--upstream-model' },
} as const;

/** @throws UsageError that names an option of another engine */
function refuseOptionsOf(options: ServeOptions, ...engines: (keyof typeof OPTIONS_OF)[]): void {
  for (const engine of engines) {
    for (const [name, flag] of Object.entries(OPTIONS_OF[engine])) {
      if (options[name as keyof ServeOptions] !== undefined) {
        throw new UsageError(`${flag} is of --engine ${engine}.`);
      }
    }
  }
}

async function openBehind(options: ServeOptions, signal: AbortSignal): Promise<OpenedModel> {
  refuseOptionsOf(options, 'onnx', 'llama-cpp');
  const { upstream, threads } = options;
  if (upstream === undefined) throw new UsageError('--engine openai needs an --upstream, as http://127.0.0.1:8000/v1.');
  if (threads !== undefined || options.device !== undefined) {
    throw new UsageError('--threads and --device are of the engines that run here.');
  }
  const { id, family, aligner, upstreams } = await openUpstreamAligner({ ...options, upstream }, signal);
  const hosts = upstreams.states.map(({ host, isOut }) => `${host}${isOut ? ' (does not answer)' : ''}`);
  return {
    what: `${id}, on ${hosts.join(', ')},`,
    id,
    family,
    variant: undefined,
    aligner,
    upstreamStates: () => upstreams.states,
  };
}
