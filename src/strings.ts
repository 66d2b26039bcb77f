import type { FinishReason } from './align/edit.ts';
import type { Device } from './align/engine.ts';
import type { PromptStyle, TemplateId } from './align/prompt.ts';
import { formatBytes, formatCount, formatDuration, formatParameters, formatRate } from './format.ts';
import type { EditView, Theme } from './state/settings-store.ts';

const tokens = (count: number) => `${formatCount(count)} ${count === 1 ? 'token' : 'tokens'}`;
const words = (count: number) => `${formatCount(count)} ${count === 1 ? 'word' : 'words'}`;

const FAMILIES: Record<TemplateId, string> = { 'hh-rlhf': 'HH-RLHF', ultrafeedback: 'UltraFeedback', imhi: 'IMHI' };
const DEVICE_NAMES: Record<Device, string> = { cpu: 'CPU', wasm: 'CPU (WebAssembly)', webgpu: 'GPU (WebGPU)' };

/** Every word on the page that is not the models' interface: one place to translate. */
export const strings = {
  product: 'MetaAligner',
  tagline: 'Rewrites an answer towards the objectives you name.',
  onDevice: 'Stays on this device',
  onDeviceWhy:
    'The model runs in this tab. What you write and what it writes are sent nowhere; only model files are fetched.',
  unsaved: 'This browser does not keep what you write: its storage is full or switched off. Copy what you need.',
  research:
    'For research use. Nothing written here is a diagnosis or advice, and the model can be wrong, unfair or harmful.',
  paper: 'The paper (arXiv 2403.17141)',
  imhi: 'This family of models is about mental health research. It cannot assess anyone. If you or someone you know needs help, see a doctor or another professional, or in an emergency call your local emergency number.',
  families: FAMILIES,

  theme: {
    label: 'Colours',
    names: { system: 'As the system', light: 'Light', dark: 'Dark' } satisfies Record<Theme, string>,
  },

  crash: {
    title: 'This page has failed',
    kept: 'That is a bug in it. What you wrote is kept in this browser and will be there after a reload.',
    reload: 'Reload the page',
  },

  error: {
    retry: 'Try again',
  },

  model: {
    title: 'Model',
    choose: 'Choose a model',
    change: 'Change',
    load: 'Load',
    loadAgain: 'Load again',
    unload: 'Unload',
    cancel: 'Cancel',
    use: (name: string) => `Use ${name}`,
    useShort: 'Use',
    inUse: 'In use',
    listing: 'Looking for models…',
    none: 'No model yet',
    noneWhy: 'This server offers no converted model. Open a converted folder from your disk, or convert a checkpoint.',
    facts: (family: TemplateId | undefined, parameterCount: number, contextLength: number) =>
      [
        family === undefined ? 'family unknown' : FAMILIES[family],
        `${formatParameters(parameterCount)} parameters`,
        `reads ${tokens(contextLength)}`,
      ].join(' · '),
    ready: (sizeBytes: number) => `Ready · ${formatBytes(sizeBytes)}`,
    readyFrom: (sizeBytes: number) => `Ready · from ${formatBytes(sizeBytes)}`,
    loaded: 'Loaded',
    machine: {
      gpu: 'This machine offers WebGPU.',
      softwareGpu: 'WebGPU is computed on the CPU here, so WebAssembly is faster.',
      cpu: 'No WebGPU here: it runs on the CPU.',
    },
    progress: (loadedBytes: number, totalBytes: number) => `${formatBytes(loadedBytes)} of ${formatBytes(totalBytes)}`,
    progressLabel: 'Loading the model',
    announceLoading: 'Loading the model.',
    announceReady: 'The model is loaded.',
    connecting: 'Opening the model…',
    starting: 'Starting the engine. The first time this can take a minute.',
    runs: (device: Device, variant: string, sizeBytes: number) =>
      `${DEVICE_NAMES[device]} · ${variant} · ${formatBytes(sizeBytes)}`,
    loadedIn: (ms: number) => `Loaded in ${formatDuration(ms)}.`,
    threads: (count: number) => `${formatCount(count)} ${count === 1 ? 'thread' : 'threads'}`,

    dialogTitle: 'Models',
    close: 'Close',
    served: 'Ready to run',
    servedNone: 'This server offers no converted model.',
    damaged: (count: number) => `${formatCount(count)} more cannot be used:`,
    disk: 'From your disk',
    diskWhy: 'A folder that “metaaligner convert” wrote. Its files are read in place; nothing is uploaded.',
    openFolder: 'Open a folder…',
    published: 'Published checkpoints',
    publishedWhy:
      'The eight that the authors published. Each needs a download and a conversion on your machine before it runs here.',
    needs: 'Needs download and conversion',
    download: (bytes: number) => `${formatBytes(bytes)} download`,
    base: (base: string, contextLength: number, licence: string) =>
      `Made from ${base} · reads ${tokens(contextLength)} · ${licence}`,
    how: 'How to get it',
    howSteps: {
      download: 'Download the checkpoint',
      convert: 'Convert it where this server finds it',
      reload: 'Open this list again: the model is then listed above.',
    },
    tooLarge: 'A browser tab is usually too small for a model of this size; the command line runs it.',
    copyCommand: 'Copy the command',

    options: 'Device and variant',
    device: 'Device',
    devices: { auto: 'Automatic', webgpu: 'GPU (WebGPU)', wasm: 'CPU (WebAssembly)' },
    variant: 'Variant',
    variantAuto: 'Automatic',
    variantOf: (variant: string, sizeBytes: number) => `${variant} · ${formatBytes(sizeBytes)}`,
    optionsNext: 'Applies to the next load.',
    probing: 'Looking at this machine…',
    gpu: (description: string, hasShaderF16: boolean, isSoftware: boolean) =>
      `WebGPU is available${description === '' ? '' : `: ${description}`}${isSoftware ? ', computed on the CPU' : ''}${hasShaderF16 ? '' : ', without 16-bit floats'}.`,
    noGpu: (reason: string | undefined) => `WebGPU is not available${reason === undefined ? '' : `: ${reason}`}.`,
    cpu: (threads: number) => `The CPU has ${formatCount(threads)} ${threads === 1 ? 'thread' : 'threads'} for it.`,
    template: 'Prompt template',
    templateWhy: 'The family of this model is not known. Choose the one whose prompts it was trained on.',
  },

  text: {
    title: 'Text',
    choose: 'Your own text or an example',
    own: 'Your own text',
    examples: 'Examples',
    restore: 'Restore the example',
    contextHint: {
      'hh-rlhf': 'Turns marked Human: and Assistant:, ending in Assistant:',
      ultrafeedback: 'What was asked, in one turn.',
      imhi: 'The post and the question about it.',
    } satisfies Record<TemplateId, string>,
    addMarks: 'Add the marks',
    lacksMarks: 'This model was trained on dialogues that mark their turns.',
    answer: 'Answer',
    answerHint: 'The answer to improve, whoever wrote it.',
    answerBlank: 'There is no answer to edit yet.',
  },

  objectives: {
    title: 'Objectives',
    chosen: 'Chosen objectives, in the order of the prompt',
    none: 'Choose at least one objective.',
    trained: (family: TemplateId) => `${FAMILIES[family]} models were trained on`,
    unseen: 'New to them, by description alone',
    own: 'Your own',
    earlier: (label: string) => `Move ${label} up`,
    later: (label: string) => `Move ${label} down`,
    remove: (label: string) => `Remove ${label}`,
    drag: (label: string) => `Drag ${label} to another place`,
    moved: (label: string, position: number, count: number) => `${label} is now ${position} of ${count}.`,
    added: (label: string, position: number) => `${label} added as number ${position}.`,
    removed: (label: string) => `${label} removed.`,
    forget: (label: string) => `Delete ${label} for good`,
    write: 'Write your own objective',
    name: 'Name',
    namePlaceholder: 'Warmth',
    description: 'Description',
    descriptionPlaceholder: 'The response should be kind and encouraging',
    add: 'Add objective',
    nameBlank: 'Give it a name.',
    descriptionBlank: 'Say what the response should be like.',
    responsible:
      'The model follows what is written here. Do not use it to make answers harmful, deceptive or discriminating: you answer for the result.',
  },

  generation: {
    title: 'Generation settings',
    greedy: 'Greedy',
    sampled: (temperature: number) => `Temperature ${temperature}`,
    checkpoint: 'Checkpoint’s own',
    summary: (maxNewTokens: number, sampling: string) => `${sampling}, at most ${formatCount(maxNewTokens)} new tokens`,
    maxNewTokens: 'Max new tokens',
    usesCheckpoint: 'Use the checkpoint’s own sampling settings',
    usesCheckpointHint: 'As its generation_config.json says; greedy where it says nothing.',
    temperature: 'Temperature',
    temperatureHint: '0 is greedy: the same request gives the same edit.',
    topK: 'Top-k',
    topKHint: '0 keeps all tokens.',
    topP: 'Top-p',
    topPHint: '1 keeps all tokens.',
    repetitionPenalty: 'Repetition penalty',
    repetitionPenaltyHint: '1 is off.',
    seed: 'Seed',
    seedHint: 'For sampling.',
    promptStyle: 'Prompt style',
    promptStyles: { bare: 'Bare', vicuna: 'Vicuna' } satisfies Record<PromptStyle, string>,
    promptStyleHint: 'Bare is what the published inference code sends; Vicuna is the wrapping used in training.',
    reset: 'Back to the defaults',
    outOfRange: (min: number, max: number, isWhole: boolean) =>
      `${isWhole ? 'A whole number' : 'A number'} from ${formatCount(min)} to ${formatCount(max)}.`,
  },

  align: {
    align: 'Align',
    loadAndAlign: 'Load and align',
    loading: 'Loading…',
    stop: 'Stop',
    stopping: 'Stopping…',
    shortcut: (isMac: boolean) => (isMac ? '⌘ ↵' : 'Ctrl ↵'),
    stopShortcut: 'Esc',
    prompt: (promptTokens: number, contextLength: number) =>
      `Prompt ${formatCount(promptTokens)} of ${tokens(contextLength)}`,
    promptMeter: 'Prompt length against what the model reads',
    room: (room: number) => `${formatCount(room)} left for the edit`,
    roomShort: (room: number, asked: number) => `only ${formatCount(room)} left of the ${formatCount(asked)} asked for`,
    tooLong: (excess: number) => `${tokens(excess)} too many: shorten the context or the answer`,
    countLater: 'The prompt is counted once a model is loaded.',
    counting: 'Counting the prompt…',
    noModel: 'Choose a model first.',
  },

  edit: {
    title: 'Edit',
    views: { 'side-by-side': 'Side by side', inline: 'Changes', clean: 'Edit only' } satisfies Record<EditView, string>,
    viewLabel: 'View',
    emptyTitle: 'The edit appears here',
    emptySteps: [
      ['Give it a context and an answer', 'From any model, or your own. An example is filled in to start with.'],
      ['Choose objectives', 'What the answer should be more like, in order. Ones the model never saw work too.'],
      ['Align', 'The model rewrites the answer on your device, and every changed word is marked.'],
    ] as const,
    original: 'Original',
    edited: 'Edit',
    copy: 'Copy edit',
    copied: 'Copied',
    copyFailed: 'Copying failed',
    useAsAnswer: 'Use as answer',
    legend: { deleted: 'Removed', inserted: 'Added', pending: 'Not reached yet' },
    reading: (promptTokens: number | undefined) =>
      promptTokens === undefined ? 'Reading the prompt…' : `Reading the prompt, ${tokens(promptTokens)}…`,
    writing: 'Writing…',
    stale: 'You have changed the request since this edit.',
    outOf: (editTokens: number, maxNewTokens: number) =>
      `${formatCount(editTokens)} of at most ${tokens(maxNewTokens)}`,
    unchanged: 'The model left the answer as it is.',
    emptyEdit: 'The model ended without writing anything.',
    finish: {
      stop: 'Finished: the model ended the edit itself.',
      length: 'Cut off: the edit reached its limit before the model ended it.',
      cancelled: 'Stopped by you. What was written until then is kept.',
    } satisfies Record<FinishReason, string>,
    lengthRemedy: (maxNewTokens: number) =>
      `It was allowed ${tokens(maxNewTokens)}. Raise “Max new tokens” in the generation settings and align again.`,
    lengthRemedyContext: (maxNewTokens: number) =>
      `The model’s context had room for ${tokens(maxNewTokens)} only. Shorten the context or the answer and align again.`,
    capped: (maxNewTokens: number, requested: number) =>
      `${tokens(requested)} were asked for; after the prompt the model has room for ${formatCount(maxNewTokens)}, so the edit ends there at the latest.`,
    partial: 'Written before it failed',
    stats: {
      prompt: 'Prompt',
      edit: 'Edit',
      firstToken: 'First token',
      speed: 'Speed',
      total: 'Total',
      changes: 'Changes',
      tokens,
      rate: (tokensPerSecond: number) => `${formatRate(tokensPerSecond)} tokens/s`,
      duration: formatDuration,
      change: (insertedWords: number, deletedWords: number) => `+${words(insertedWords)}, −${words(deletedWords)}`,
    },
    announceReading: 'Reading the prompt.',
    announceWriting: 'Writing the edit.',
    announceEnd: {
      stop: 'The edit is finished.',
      length: 'The edit was cut off at its limit.',
      cancelled: 'The edit was stopped.',
    } satisfies Record<FinishReason, string>,
  },
} as const;
