import type { ModelUsed } from '../align/alignment.ts';
import type { ChangeCount } from '../align/diff.ts';
import type { FinishReason } from '../align/edit.ts';
import type { EngineDevice } from '../align/engine.ts';
import type { BatchExport } from '../batch/page-batch.ts';
import type { ExportFormat } from '../align/export-review.ts';
import type { EditKind } from '../align/measures.ts';
import type { SetScheme } from '../align/objective-sets.ts';
import type { OddCharacters } from '../align/odd-characters.ts';
import type { PromptStyle, TemplateId } from '../align/prompt.ts';
import type { Decision } from '../align/review.ts';
import type { Reading, Score, ScorerInput, ScorerUsed, SideBySide } from '../align/scores.ts';
import type { TextItemFormat } from '../datasets/item-format.ts';
import { ENGLISH as REPORT_WORDS } from '../evaluation/report/report-words.ts';
import {
  formatBytes,
  formatCount,
  formatDate,
  formatDuration,
  formatGain,
  formatMeasured,
  formatModelName,
  formatParameters,
  formatPercent,
  formatRate,
  formatScore,
  formatWait,
} from '../format.ts';
import type { ModelLocation } from '../../workers/protocol.ts';
import type { ExampleId } from '../state/examples.ts';
import type { JudgeChoice } from '../state/scoring-settings.ts';
import type { ContextForm, EditView, Theme } from '../state/settings-store.ts';

const tokens = (count: number) => `${formatCount(count)} ${count === 1 ? 'token' : 'tokens'}`;
const edits = (count: number) => `${formatCount(count)} ${count === 1 ? 'edit' : 'edits'}`;
const words = (count: number) => `${formatCount(count)} ${count === 1 ? 'word' : 'words'}`;

const FAMILIES: Record<TemplateId, string> = { 'hh-rlhf': 'HH-RLHF', ultrafeedback: 'UltraFeedback', imhi: 'IMHI' };
const DEVICE_NAMES: Record<EngineDevice, string> = {
  cpu: 'CPU',
  wasm: 'CPU (WebAssembly)',
  webgpu: 'GPU (WebGPU)',
  cuda: 'GPU (CUDA)',
  metal: 'GPU (Metal)',
  vulkan: 'GPU (Vulkan)',
  server: 'server',
};

/** Every word on the page that is not the models' interface. */
export const en = {
  product: 'MetaAligner',
  tagline: 'Rewrites an answer towards the objectives you name.',
  onDevice: 'Stays on this device',
  onDeviceWhy:
    'The model runs in this tab. What you write and what it writes are sent nowhere; only model files are fetched.',
  sent: (host: string) => `Sent to ${host}`,
  sentWhy: (host: string) =>
    `The chosen model runs on ${host}. Objectives, context and answer are sent there when you press Align, and not before.`,
  unsaved: 'This browser does not keep what you write: its storage is full or switched off. Copy what you need.',
  research:
    'For research use. Nothing written here is a diagnosis or advice, and the model can be wrong, unfair or harmful.',
  paper: 'The paper (arXiv 2403.17141)',
  imhi: 'This family of models is about mental health research. It cannot assess anyone. If you or someone you know needs help, see a doctor or another professional, or in an emergency call your local emergency number.',
  families: FAMILIES,
  offlineNow: 'No network',
  offlineNowWhy: 'Models that are kept here run as before. New ones can be fetched once there is a network again.',
  language: { label: 'Language', names: { en: 'English', de: 'Deutsch' } },

  tab: {
    fetching: (percent: number | undefined) =>
      percent === undefined ? 'Getting a model' : `Getting a model, ${percent} %`,
    fetched: 'Model is here',
    notifiedTransfer: 'The model is here.',
    loading: (percent: number | undefined) => (percent === undefined ? 'Loading' : `Loading ${percent} %`),
    writing: (editTokens: number) => (editTokens === 0 ? 'Reading' : `Writing, ${tokens(editTokens)}`),
    comparing: (done: number, all: number) => `${formatCount(done)} of ${formatCount(all)} edits`,
    batch: (finished: number, all: number) => `${formatCount(finished)} of ${formatCount(all)} rows`,
    notifiedBatch: (finished: number) => `The batch has stopped after ${formatCount(finished)} rows.`,
    ended: 'Edit finished',
    failed: 'Failed',
    notified: 'The edit is finished.',
    notifiedComparison: (count: number) => `Finished: ${edits(count)}.`,
  },

  share: {
    copy: 'Copy link',
    copied: 'Link copied',
    why: 'The text, objectives and settings are in the address itself, after the #. Nothing is sent anywhere.',
    long: (length: number) => `Link copied; at ${formatCount(length)} characters some programs cut it`,
    opened:
      'A shared text with its objectives and generation settings is on the page. Your own is under “Your own text”. Nothing runs until you press Align.',
    otherFamily: (family: TemplateId) =>
      `It was made for ${FAMILIES[family]} models; the one in use is of another family.`,
    close: 'Close',
  },

  batch: {
    title: 'Batch',
    why: 'A file of answers, aligned row by row. Every finished row is kept in this browser, so a reload or a crash loses nothing.',
    drop: 'Drop a CSV, TSV or JSONL file here.',
    dropHint: (host: string | undefined) =>
      `One answer a row, with what was asked before it. ${host === undefined ? 'The file stays on this device.' : `Its rows are sent to ${host} when you run them.`}`,
    sent: (host: string) => `Each row is sent to ${host}.`,
    leftAt: (host: string) => `This batch was running at ${host}. Nothing is sent from here until you go on.`,
    choose: 'Choose a file…',
    reading: (name: string) => `Reading ${name}…`,
    rows: (count: number) => (count === 1 ? '1 row' : `${formatCount(count)} rows`),
    roles: { query: 'Context', answer: 'Answer', goldens: 'Reference' },
    noColumn: 'None',
    choosePlease: 'Choose a column',
    missingColumn: 'Say which columns hold the context and the answer.',
    locked: 'Columns can be changed before the first row is run.',
    close: 'Close the file',
    closeSure: (count: number) => `What became of ${formatCount(count)} rows will be forgotten.`,
    runTitle: 'Run',
    plan: (model: string, objectives: readonly string[], maxNewTokens: number) =>
      `${formatModelName(model)}, towards ${objectives.join(', ')}, at most ${tokens(maxNewTokens)} a row.`,
    planWhere: 'Model, objectives and settings are those of the playground.',
    planBegun: 'It goes on with the objectives and settings that it was begun with.',
    otherModel: 'The model in use is another one than it was begun with.',
    start: 'Run all rows',
    resume: 'Go on',
    pause: 'Pause',
    pausing: 'After this row…',
    retry: (count: number) => `Try ${formatCount(count)} failed again`,
    progress: (finished: number, all: number, failed: number) =>
      `${formatCount(finished)} of ${formatCount(all)} rows${failed === 0 ? '' : `, ${formatCount(failed)} without an edit`}`,
    pace: (rowsPerSecond: number, tokensPerSecond: number, secondsLeft: number) =>
      `${formatRate(rowsPerSecond)} rows/s, ${formatRate(tokensPerSecond)} tokens/s, about ${formatWait(secondsLeft)} left`,
    exports: { csv: 'CSV', jsonl: 'JSONL', markdown: 'Markdown' } satisfies Record<BatchExport, string>,
    table: 'Rows',
    number: 'Row',
    open: 'Review',
    openLabel: (row: number) => `Review row ${row}`,
  },

  data: {
    title: 'Data',
    why: 'What an aligner would learn from preference data: which objectives each direction of a pair teaches, the exact prompts, and the training files that “dataset … build” writes for the same seed.',
    note: 'For research. Both responses of a pair come from the file, with whatever is offensive, false or private in it; a score is a model’s or a person’s opinion. Objectives can be described so that a model is aligned towards harm.',
    drop: 'Drop scored pairs (CSV, TSV or JSONL) or rated instructions (JSONL) here.',
    dropHint:
      'Pairs as “dataset hh-rlhf score” writes them, or UltraFeedback’s records. The file stays on this device.',
    choose: 'Choose a file…',
    reading: (name: string) => `Reading ${name}…`,
    kinds: { 'hh-rlhf': 'scored pairs (HH-RLHF)', ultrafeedback: 'rated instructions (UltraFeedback)' },
    rows: (count: number, kind: string) => `${count === 1 ? '1 row' : `${formatCount(count)} rows`}, ${kind}`,
    close: 'Close the file',
    settings: {
      seed: 'Seed',
      seedHint: 'The same seed gives the same files.',
      seedFault: 'A whole number from 0 to 4,294,967,295.',
      split: 'Files of',
      splits: { train: 'Train and validation', test: 'Test' },
      valSize: 'Items kept for validation',
      testSize: 'Instructions at the end for the test set',
      sizeFault: 'A whole number from 0.',
      maxObjectives: 'Objectives that an item names at most',
      maxObjectivesFault: (most: number) => `A whole number from 1 to ${most}.`,
    },
    counts: 'What it teaches',
    pairs: (count: number) => (count === 1 ? '1 pair' : `${formatCount(count)} pairs`),
    items: (better: number, equal: number) =>
      `${formatCount(better)} items towards something better, ${formatCount(equal)} between equals`,
    tied: (count: number) => `${formatCount(count)} equal on every objective`,
    unrated: (count: number) => `${formatCount(count)} more without all ratings, left out`,
    withoutResponse: (count: number) => `${formatCount(count)} completions without a response, left out`,
    tests: (count: number) => `${formatCount(count)} instructions for the test set`,
    named: 'Objectives named',
    better: 'Better',
    equal: 'Equal',
    leftOut: (count: number) => `${count === 1 ? '1 row is' : `${formatCount(count)} rows are`} left out`,
    leftOutWhy: (problem: string, count: number, lines: readonly number[]) =>
      `${problem} Row ${lines.join(', ')}${count > lines.length ? ` and ${formatCount(count - lines.length)} more` : ''}`,
    leftOutMore: (count: number) => `${formatCount(count)} more for other reasons.`,
    table: 'Pairs',
    tableHint: (first: string, second: string) =>
      `Scores stand as ${first} / ${second}; the higher one is better. Each direction teaches the objectives on which its target is better.`,
    number: 'Row',
    prompt: 'Prompt',
    sides: { 'hh-rlhf': ['chosen', 'rejected'], ultrafeedback: ['first', 'second'] },
    towards: (side: string) => `Towards ${side}`,
    show: 'Show',
    showLabel: (row: number, ordinal: number) => `Show pair ${ordinal}, row ${row}`,
    pair: (row: number) => `The pair of row ${row}`,
    item: (title: string, id: number) => `${title}, item ${id}`,
    target: 'Target',
    promptOf: (title: string) => `Prompt: ${title}`,
    targetOf: (title: string) => `Target: ${title}`,
    copy: 'Copy the prompt',
    closePair: 'Close',
    export: 'Export',
    format: 'Format',
    formats: {
      fastchat: 'FastChat JSON',
      jsonl: 'FastChat JSONL',
      openai: 'Messages JSONL (OpenAI)',
    } satisfies Record<TextItemFormat, string>,
    save: (path: string, count: number) => `${path} (${formatCount(count)})`,
  },

  evaluate: {
    title: 'Evaluate',
    why: 'Win rates, ratings, labels and text quality as one report, beside the paper’s figures. Reports come from “evaluate” of the command line; texts beside their references are scored here.',
    drop: 'Drop reports, verdicts, batch outputs or answers here, several at once.',
    dropHint:
      'JSON of “evaluate …”, verdicts.csv, CSV files of a batch, or CSV files with goldens and generated_text (for IMHI named after their data set, as DR.csv), and people’s ratings of explanations with the CSV file of their references. They stay on this device.',
    choose: 'Choose files…',
    files: (count: number) => (count === 1 ? '1 file' : `${formatCount(count)} files`),
    add: 'Add files…',
    close: 'Close all',
    remove: (name: string) => `Remove ${name}`,
    reading: (finished: number, all: number) =>
      `Evaluating, ${formatCount(finished)} of ${formatCount(all)} files done`,
    progress: 'Files evaluated',
    save: 'Save the report',
    report: REPORT_WORDS,
  },

  history: {
    title: 'History',
    why: (most: number) =>
      `Every edit is kept in this browser. Of those that are not pinned the newest ${formatCount(most)} stay.`,
    none: 'No edit yet. The next one is kept here.',
    search: 'Search texts, objectives and models',
    count: (found: number, all: number) => (found === all ? edits(all) : `${formatCount(found)} of ${edits(all)}`),
    more: (count: number) => `Show ${formatCount(count)} more`,
    export: 'Export all',
    exportFound: (count: number) => `Export ${formatCount(count)}`,
    import: 'Import…',
    imported: (added: number, damaged: number) =>
      `${edits(added)} added${damaged === 0 ? '' : `; ${formatCount(damaged)} could not be read and were left out`}.`,
    clear: 'Delete all that are not pinned',
    clearFound: (count: number) => `Delete ${formatCount(count)}`,
    clearSure: (count: number) => `Delete ${edits(count)} for good?`,
    name: (createdAt: number, objectives: string) => `${objectives}, ${formatDate(createdAt)}`,
    facts: (
      createdAt: number,
      { name, variant, host }: ModelUsed,
      wordCount: number,
      isWhole: boolean,
      decided: number,
    ) =>
      [
        formatDate(createdAt),
        `${formatModelName(name)}${variant === undefined ? '' : ` (${variant})`}`,
        ...(host === undefined ? [] : [`on ${host}`]),
        words(wordCount),
        ...(isWhole ? [] : ['not whole']),
        ...(decided > 0 ? [`${formatCount(decided)} decided`] : []),
      ].join(' · '),
    open: 'Open',
    openLabel: (name: string) => `Open ${name}`,
    pin: 'Pin',
    pinLabel: (name: string) => `Pin ${name}`,
    removePinnedSure: 'It is pinned. Delete it for good?',
    removeLabel: (name: string) => `Delete ${name}`,
  },

  result: { tabs: 'Result', names: { edit: 'Edit', compare: 'Compare objectives', scores: 'Scores' } },

  compare: {
    title: 'Compare objectives',
    why: 'The same answer under several sets of the objectives you have chosen, one run after the other on the same loaded model.',
    sets: 'Sets',
    schemes: {
      together: 'All together',
      alone: 'Each alone',
      'left-out': 'One left out',
      added: 'Added one by one',
    } satisfies Record<SetScheme, string>,
    otherModel: 'And on a second model',
    noOther: 'No second model',
    otherFamily: 'It is of another family and reads the prompt of the first one’s.',
    run: (count: number) => (count === 1 ? 'Run 1 edit' : `Run ${formatCount(count)} edits`),
    nothing: 'Choose at least one kind of set.',
    kept: 'Each edit is kept in the history.',
    sent: (host: string) => `The text is sent to ${host}.`,
    on: (model: string, host: string) => `${model}, on ${host}`,
    busy: 'A comparison is running.',
    progress: (done: number, all: number) => `${formatCount(done)} of ${edits(all)} done`,
    waiting: 'Waits for its turn.',
    skipped: 'Not run.',
    running: (editTokens: number) => (editTokens === 0 ? 'Reading the prompt…' : `Writing, ${tokens(editTokens)}…`),
    words: 'Words',
    count: formatCount,
    changed: 'Changed',
    time: 'Time',
    open: 'Open and review',
    openLabel: (set: string) => `Open and review ${set}`,
  },

  prompt: {
    title: 'The exact prompt',
    why: 'What the model reads, to the last blank: the published template with your objectives, context and answer.',
    copy: 'Copy prompt',
    hidden: (characters: number) => `[… ${formatCount(characters)} characters not shown …]`,
  },

  turns: {
    roles: { human: 'Human', assistant: 'Assistant' },
    speaker: (index: number) => `Who speaks in turn ${index}`,
    said: (index: number, role: 'human' | 'assistant') => `Turn ${index}, ${role}`,
    earlier: (index: number) => `Move turn ${index} up`,
    later: (index: number) => `Move turn ${index} down`,
    remove: (index: number) => `Remove turn ${index}`,
    add: 'Add a turn',
  },

  program: {
    newVersion: 'A new version of this page is ready. What you wrote stays.',
    otherTabs: (count: number) =>
      `The new version starts when ${count === 1 ? 'the other tab' : `the ${count} other tabs`} of this page ${count === 1 ? 'is' : 'are'} closed.`,
    faster: 'This page can use all processor cores after a reload. What you wrote stays.',
    reload: 'Reload',
    offline: 'Works offline',
    offlineWhy: 'This page is kept in this browser and opens without a network, with the models that are stored here.',
  },

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
    partMissing: 'This part of the page could not be fetched.',
    partMissingRemedy: 'Check the connection, then try again. If the page was renewed meanwhile, open it anew.',
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
    missing: (id: string) => `${id} is not here any more`,
    missingWhy: 'It was chosen before. Choose it again from where it is, or another model.',
    demoOffer: (bytes: number, seconds: number) =>
      `This model only shows the mechanics. MetaAligner 1.1B edits for real: a download of ${formatBytes(bytes)}, about ${formatWait(seconds)} at 100 Mbit/s, once.`,
    demoGet: 'Get MetaAligner 1.1B',
    facts: (family: TemplateId | undefined, parameterCount: number | undefined, contextLength: number | undefined) =>
      [
        family === undefined ? 'family unknown' : FAMILIES[family],
        ...(parameterCount === undefined ? [] : [`${formatParameters(parameterCount)} parameters`]),
        ...(contextLength === undefined ? [] : [`reads ${tokens(contextLength)}`]),
      ].join(' · '),
    ready: (sizeBytes: number) => `Ready · ${formatBytes(sizeBytes)}`,
    readyFrom: (sizeBytes: number) => `Ready · from ${formatBytes(sizeBytes)}`,
    loaded: 'Loaded',
    where: {
      url: 'from this server',
      files: 'from your disk',
      stored: 'kept in this browser',
    } satisfies Record<ModelLocation['kind'], string>,
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
    runs: (device: EngineDevice, variant: string, sizeBytes: number) =>
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
      'The eight that the authors published. Each is downloaded from the hub, converted while it arrives, checked, and kept in this browser; then it runs offline.',
    download: (bytes: number) => `${formatBytes(bytes)} download`,
    base: (base: string, contextLength: number, licence: string) =>
      `Made from ${base} · reads ${tokens(contextLength)} · ${licence}`,
    how: 'Or with the command line',
    howSteps: {
      pull: 'Download and convert it where this server finds it',
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

  server: {
    title: 'From a server',
    why: 'For models that are too large for this device: a MetaAligner server, started with “metaaligner serve”. Only what you align with one of its models is sent to it.',
    address: 'Address',
    addressPlaceholder: 'http://127.0.0.1:4173',
    key: 'Key',
    keyWhy: 'If the server asks for one. It is sent to this server only and forgotten with this tab.',
    keyKept: 'A key is kept for it. Leave this empty to go on with it.',
    readable: 'http to another machine is not encrypted: whoever is between can read texts and key. Better use https.',
    remember: 'Remember the key on this device',
    rememberWhy: 'It is stored unencrypted: whoever uses this browser profile can read it.',
    connect: 'Connect',
    connecting: 'Asking the server…',
    connected: (host: string, models: readonly string[], contextLength: number | undefined, hasKey: boolean) =>
      `${host} answers${hasKey ? ', and takes the key' : ''}. It offers ${models.join(', ')}${contextLength === undefined ? '' : `, which reads ${tokens(contextLength)}`}.`,
    own: (host: string) => `This page’s own server, ${host}`,
    fails: (host: string) => `${host} offers nothing at the moment:`,
    forget: 'Forget the server and its key',
    fallback: (host: string) => `Use ${host} by itself when this device cannot run a model`,
    fallbackWhy: 'What you align is sent there then, and the page says so. You can take this back here.',
    badge: (host: string) => `On ${host}`,
    sent: (host: string) => `Your text is sent to ${host}.`,
    runs: (host: string, variant: string | undefined) =>
      `Runs on ${host}${variant === undefined ? '' : ` · ${variant}`}`,
    connectModel: 'Connect',
    connectAndAlign: 'Connect and align',
    disconnect: 'Disconnect',
    asking: 'Asking the server…',
    offer: (host: string) => `Use ${host} instead`,
    setUp: 'Use a server…',
    lostTwice: 'The GPU went away twice, so the CPU took over, which is slower.',
    consentTitle: (host: string) => `Send your text to ${host}?`,
    consentWhat: (model: string, host: string) =>
      `${formatModelName(model)} on ${host} would write the edit. Objectives, context and answer are sent there each time you align with it; whoever runs that server can read them.`,
    consentAlways: 'Use it whenever this device cannot run a model',
    consentForPage: 'Use it until this page is closed',
    consentNo: 'Cancel',
    standIn: (model: string, why: string) => `In place of ${formatModelName(model)}, which did not run here: ${why}`,
    again: (model: string) => `Try ${formatModelName(model)} here again`,
  },

  weights: {
    get: 'Get…',
    getLabel: (name: string) => `Get ${name}`,
    anyLabel: 'Another model: a hub id (owner/name) or a folder’s address',
    anyPlaceholder: 'owner/name',
    look: 'Look',
    looking: 'Looking at what it takes…',
    begin: 'Start download',
    resume: 'Go on',
    close: 'Close',
    pause: 'Pause',
    discard: 'Discard',
    unfinished: (bytes: number) => `Unfinished: ${formatBytes(bytes)} kept so far`,
    sources: {
      ready: 'Ready-made folder',
      safetensors: 'safetensors, converted while it arrives',
      gguf: 'GGUF, converted while it arrives',
      torch: 'PyTorch .bin, converted while it arrives',
    },
    variant: (variant: string) => `as ${variant}`,
    costs: (downloadBytes: number, keepBytes: number) =>
      `Downloads ${formatBytes(downloadBytes)}, keeps ${formatBytes(keepBytes)}.`,
    time: (seconds: number) => `Takes about ${formatWait(seconds)} at the speed measured just now.`,
    timeUnknown: 'The time cannot be told yet.',
    fits: 'There is room for it.',
    missing: (bytes: number) =>
      `The browser’s store lacks ${formatBytes(bytes)}: delete a model or free disk space first.`,
    roomUnknown: 'The browser does not tell how much room there is.',
    trust: {
      publisher: 'Every file is checked against the publisher’s checksum.',
      'first-use': 'Its host publishes no checksum: what comes first is trusted, and later downloads are held to it.',
    },
    phases: {
      listing: 'Looking',
      downloading: 'Downloading',
      converting: 'Downloading and converting',
      checking: 'Checking',
      finishing: 'Finishing',
    },
    progressLabel: (reference: string) => `Getting ${reference}`,
    amount: (loadedBytes: number, totalBytes: number) => `${formatBytes(loadedBytes)} of ${formatBytes(totalBytes)}`,
    speed: (bytesPerSecond: number) => `${formatBytes(bytesPerSecond)}/s`,
    left: (seconds: number) => `${formatWait(seconds)} left`,
    elsewhere: 'Another tab is at it.',
    trouble: (message: string) => `${message} Trying again.`,
    starting: 'Starting…',
  },

  storage: {
    title: 'Storage',
    playground: 'Playground',
    models: 'Models kept in this browser',
    none: 'None yet. Get one under “Change” in the playground, or import a file.',
    loading: 'Looking…',
    stored: (storedAt: number, lastUsedAt: number) =>
      `Stored ${formatDate(storedAt)} · last used ${formatDate(lastUsedAt)}`,
    revision: (revision: string) => `Revision ${revision.slice(0, 12)}`,
    trust: { publisher: 'checked against the publisher’s checksums', 'first-use': 'trusted as it came first' },
    verify: 'Verify',
    verifyLabel: (name: string) => `Verify ${name}`,
    verifying: (doneBytes: number, totalBytes: number) =>
      `Reading back: ${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`,
    whole: 'Whole: every byte is as it was stored.',
    damaged: (paths: readonly string[]) => `Damaged: ${paths.join(', ')}. Delete the model and get it again.`,
    export: 'Export',
    exportLabel: (name: string) => `Export ${name}`,
    exporting: 'Writing the file…',
    remove: 'Delete',
    removeLabel: (name: string) => `Delete ${name}`,
    removeSure: 'Delete for good?',
    keep: 'Keep',
    import: 'Import a file…',
    importWhy: 'A file exported here or on another machine. It is checked while it is read.',
    importing: (doneBytes: number, totalBytes: number) =>
      `Importing: ${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`,
    unfinished: 'Unfinished downloads',
    classifiers: 'Classifiers kept in this browser',
    classifiersWhy:
      'Reward models of the hub that score texts. One that is deleted is fetched again when scores ask for it.',
    space: 'Space',
    used: (usedBytes: number, quotaBytes: number) => `${formatBytes(usedBytes)} of ${formatBytes(quotaBytes)} used.`,
    usedUnknown: 'This browser does not tell how much is used.',
    persistent: 'The browser keeps the models until you delete them.',
    notPersistent: 'The browser may delete the models when space runs short.',
    persist: 'Keep them',
    persistRefused: 'The browser refused. It may agree after you have used or bookmarked the page.',
    hub: 'Where models come from',
    endpoint: 'Hub or mirror',
    endpointWrong: 'It must be an address such as https://huggingface.co, without a slash at its end.',
    token: 'Access token',
    tokenWhy:
      'For gated models: accept the terms on the model’s page, make a token with read permission in the hub’s settings, and paste it here. It is kept in this browser and sent to the hub above only.',
  },

  text: {
    title: 'Text',
    choose: 'Your own text or an example',
    own: 'Your own text',
    opened: (number: number | undefined) => (number === undefined ? 'Opened text' : `Opened text ${number}, changed`),
    forgetSure: 'You changed it. Delete it for good?',
    forget: 'Remove this text',
    examples: 'Examples',
    exampleNames: {
      'rude-reply': 'A rude reply',
      'long-winded': 'A long-winded answer',
      'unsafe-advice': 'Unsafe advice',
      'hard-words': 'Hard words',
      'no-next-step': 'No next step',
      'dry-answer': 'A dry answer',
      readme: 'MetaAligner’s own example',
      'wrong-fact': 'A wrong fact',
      'one-sided': 'A one-sided answer',
      'missed-instruction': 'A missed instruction',
      'made-up-source': 'A made-up source',
      'thin-explanation': 'A thin explanation',
    } satisfies Record<ExampleId, string>,
    contextForm: 'Form of the dialogue',
    contextForms: { text: 'Text', turns: 'Turns' } satisfies Record<ContextForm, string>,
    pasted: (turns: number, hasAnswer: boolean) =>
      `Read as a conversation: ${turns === 1 ? '1 turn' : `${formatCount(turns)} turns`} of context${hasAnswer ? ', and the last reply as the answer' : ''}.`,
    pastedLeftOut: (count: number) =>
      `${formatCount(count)} ${count === 1 ? 'message has' : 'messages have'} no place in it (system or tool) and ${count === 1 ? 'was' : 'were'} left out.`,
    pastedUndo: 'Undo',
    tooLong: (length: number, most: number) =>
      `That text has ${formatCount(length)} characters; this page takes ${formatCount(most)}, and no aligner reads more than a few thousand words. Nothing was changed.`,
    odd: ({ direction, control, broken }: OddCharacters) =>
      `It holds characters that cannot be seen but are read: ${[
        ...(direction > 0 ? [`${formatCount(direction)} that turn the direction of text`] : []),
        ...(control > 0 ? [`${formatCount(control)} control or zero-width`] : []),
        ...(broken > 0 ? [`${formatCount(broken)} broken`] : []),
      ].join(', ')}.`,
    removeOdd: 'Remove them',
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
    notifies: 'Tell me when a long run ends while I am in another tab',
    notifiesRefused: 'The browser does not allow it. Change that in its settings for this site.',
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
    countThere: 'When you press Align, not before. The server counts the prompt.',
    countLater: 'The prompt is counted once a model is loaded.',
    counting: 'Counting the prompt…',
    noModel: 'Choose a model first.',
  },

  scores: {
    title: 'Scores',
    sentTo: (host: string) => `Scoring sends texts to ${host}`,
    sentToWhy: (host: string) =>
      `Texts that are scored are sent to ${host}, each time after you press a button or where you allowed it.`,
    short: (label: string, gain: string, scorer: string | undefined) =>
      `${label} ${gain}${scorer === undefined ? '' : ` (${scorer})`}`,
    reviewed: 'Reviewed',
    reviewedBefore: 'Reviewed before',
    none: 'none',
    number: formatMeasured,
    fromTo: (from: string, to: string) => `${from} → ${to}`,
    gain: formatGain,
    remarks: ({ spread, replies, invalid, cutAtTokens, problem }: Score) =>
      [
        ...(spread === undefined
          ? []
          : [`${formatMeasured(spread.low)} to ${formatMeasured(spread.high)} in ${formatCount(replies)} replies`]),
        ...(invalid > 0 ? [`${formatCount(invalid)} without a number`] : []),
        ...(cutAtTokens === undefined ? [] : [`its first ${tokens(cutAtTokens)} alone`]),
        ...(problem === undefined ? [] : [problem]),
      ].join(', '),
    change: (gain: number, isWithinSpread: boolean) => {
      if (gain === 0) return 'the same';
      const change = `${formatMeasured(Math.abs(gain))} ${gain > 0 ? 'better' : 'worse'}`;
      return isWithinSpread ? `${change}, within the replies’ range` : change;
    },
    sideBySide: (name: string, outcome: SideBySide['outcome'], isConsistent: boolean) => {
      if (outcome === undefined) return `${name} beside the original: no verdict in one of the two orders.`;
      if (outcome === 'tie') {
        return `${name} beside the original: ${isConsistent ? 'a tie in both orders.' : 'the orders disagree, so it is a tie.'}`;
      }
      return `${name} beside the original: ${outcome === 'win' ? 'preferred' : 'not preferred'} in both orders.`;
    },
    scorer: (scorer: ScorerUsed) => {
      if (scorer.type === 'judge') {
        const where = scorer.host === undefined ? 'in this page' : `at ${scorer.host}`;
        return `${formatModelName(scorer.name)} ${where}, 0 to 10${scorer.repeats > 1 ? ', the mean' : ''}`;
      }
      const { name, label, reading, input, variant, device, isLowerBetter } = scorer;
      const reads = input === 'pair' ? 'context and text' : 'the text alone';
      const what = `${reading === 'probability' ? 'probability of ' : ''}${label}`;
      return `${name}: ${what}${isLowerBetter ? ', lower is better' : ''} (reads ${reads}; ${variant} on ${DEVICE_NAMES[device]})`;
    },
    /** What the numbers are worth. */
    whyJudge: 'A whisker spans the lowest to the highest of a judge’s replies: its own wavering, not how right it is.',
    whyJudgeOnce: 'A judge that is asked once shows no wavering; how sure it is is not known.',
    whyClassifier: 'A reward model gives one number for a text; how uncertain it is is not known.',
    noDiagnosis:
      'A label or a score says what a research model makes of a text. It is no diagnosis and no advice; if you or someone you know needs help, see a doctor or another professional.',
    noEdit: 'Scores are of a finished edit. Align first, or open one from the history.',
    unset: 'Reward models or a judge can score the original and the edit for each objective.',
    noneForThese: 'No scorer is chosen for these objectives.',
    setUp: 'Choose scorers…',
    changeScorers: 'Scorers…',
    score: 'Score original and edit',
    scoreReviewed: 'Score reviewed text',
    again: 'Score again',
    stop: 'Stop scoring',
    takes: (lines: number, questions: number) =>
      questions === 0
        ? `${formatCount(lines)} ${lines === 1 ? 'score' : 'scores'} of each text.`
        : `${formatCount(questions)} ${questions === 1 ? 'question' : 'questions'} to the judge.`,
    sendsTo: (host: string) => `What is scored is sent to ${host}.`,
    dontSend: 'Do not send',
    sendsWhat: (host: string) => `What is scored is sent to ${host}: context, original and edit.`,
    sends: (host: string, questions: number) =>
      `Context, original and edit are sent to ${host}, in ${formatCount(questions)} requests.`,
    sendsRows: (host: string, rows: number, questions: number) =>
      `Context, answer and edit of ${formatCount(rows)} rows are sent to ${host}, in ${formatCount(questions)} requests.`,
    send: 'Send',
    working: (done: number, all: number) => `Scoring, ${formatCount(done)} of ${formatCount(all)}…`,
    workingRows: (done: number, all: number) => `Scoring, ${formatCount(done)} of ${formatCount(all)} rows…`,
    loading: {
      downloading: (percent: number) => `Getting the reward model, ${percent} %`,
      converting: (percent: number) => `Converting the reward model, ${percent} %`,
      reading: (percent: number) => `Loading the reward model, ${percent} %`,
    },
    done: 'The edit is scored.',
    scoredBy: (ms: number) => `Scored ${formatDate(ms)}.`,
    stale: 'The reviewed text has changed since.',
    close: 'Done',
    models: 'Reward models and classifiers',
    modelsWhy:
      'A BERT, DistilBERT or GPT-2 sequence classifier, run on this device. You say which of its outputs stands for which objective.',
    noOutputs: 'None is chosen yet.',
    add: 'Add an output',
    from: 'Classifier',
    fromServed: 'On this page’s server',
    fromKept: 'Kept in this browser',
    fromPicked: 'From disk',
    choosePlease: 'Choose one',
    servedNone: 'This page’s server offers none.',
    openFolder: 'Open a folder…',
    folderWhy:
      'A converted classifier, or one as published (config.json, a tokenizer, model.safetensors or pytorch_model.bin).',
    hubLabel: 'A classifier of the hub',
    hubPlaceholder: 'owner/name',
    hubGet: 'Get it',
    hubWhy: 'It is downloaded, converted and kept in this browser.',
    forget: 'Remove',
    forgetLabel: (reference: string) => `Remove ${reference} from this browser`,
    keptSize: (bytes: number) => formatBytes(bytes),
    opening: 'Opening the classifier…',
    cancel: 'Cancel',
    facts: (labels: number, parameters: number, maxTokens: number) =>
      `${labels === 1 ? '1 output' : `${formatCount(labels)} outputs`}, ${formatParameters(parameters)} parameters, reads ${tokens(maxTokens)}.`,
    objective: 'Objective',
    output: 'Stands for it',
    outputValue: (label: string) => `${label}: value`,
    outputProbability: (label: string) => `${label}: probability`,
    reads: 'It reads',
    inputs: { pair: 'Context and text', response: 'The text alone' } satisfies Record<ScorerInput, string>,
    better: 'Better is',
    directions: { higher: 'a higher number', lower: 'a lower number' },
    addThis: 'Add',
    outputLine: (classifier: string, what: string, reads: string, isLowerBetter: boolean) =>
      `${classifier}, ${what}, ${reads.toLowerCase()}${isLowerBetter ? ', lower is better' : ''}`,
    outputNumber: (index: number) => `output ${index + 1}`,
    outputUnknown: (index: number, reading: Reading) =>
      `output ${index + 1} as ${reading === 'value' ? 'a value' : 'a probability'}`,
    removeOutput: (objective: string, classifier: string) => `Remove ${classifier} for ${objective}`,
    judge: 'Judge',
    judges: { none: 'None', page: 'Model in use', endpoint: 'A server' } satisfies Record<JudgeChoice, string>,
    judgeWhy:
      'A judge rates each text from 0 to 10 for each objective, and compares it with the original in both orders.',
    judgePage:
      'The model that is loaded is asked in its own chat. A chat model is needed: an aligner answers nothing but edits, and what is no number is counted as invalid. A model that judges its own edit favours it.',
    judgeEndpoint: 'Any server that speaks OpenAI’s chat interface and lets this page call it.',
    url: 'Address',
    urlPlaceholder: 'http://127.0.0.1:8000/v1',
    urlFault: 'An address that begins with http:// or https://, without a name, a password or a query.',
    judgeModel: 'Model',
    key: 'Key',
    keyWhy: 'Kept in this tab alone, until it is closed or reloaded.',
    keyFault: 'It holds blanks or letters that no key has; copy it anew.',
    repeats: 'Ratings of each text',
    repeatsHint:
      'One: the likeliest number. Several: drawn at temperature 1, so that their range shows how sure the judge is.',
    repeatsFault: (most: number) => `A whole number from 1 to ${most}.`,
    automatic: 'Score each edit when it is written',
    automaticWhy: 'With a server this sends every edit there; it asks once in each tab.',
    agreed: (host: string) => `In this tab, texts may be sent to ${host}.`,
    agree: (host: string) => `Allow sending texts to ${host}`,
    batch: {
      title: 'Scores',
      start: (rows: number) => `Score ${formatCount(rows)} rows`,
      allDone: 'Every edited row is scored.',
      summary: 'Means of the scored rows',
      original: 'Original',
      edit: 'Edit',
      gain: 'Edits are better by (95 %)',
      rows: 'Rows',
      sideBySide: 'Side by side',
      interval: ({ value, low, high }: { value: number; low: number; high: number }) =>
        `${formatGain(value)} (${formatGain(low)} to ${formatGain(high)})`,
      oneRow: 'needs two rows',
      without: (count: number) => `${formatCount(count)} more without a number`,
      outcomes: (wins: number, ties: number, losses: number, invalid: number) =>
        `${formatCount(wins)} won, ${formatCount(ties)} tied, ${formatCount(losses)} lost${invalid > 0 ? `, ${formatCount(invalid)} without a verdict` : ''}`,
      why: 'The interval is the paired bootstrap over rows. It says how far the mean would move with other rows like these, not how right the scorer is.',
      more: (count: number) => `${formatCount(count)} more in the summary and the export.`,
    },
  },

  edit: {
    title: 'Edit',
    views: { 'side-by-side': 'Side by side', inline: 'Changes', clean: 'Edit only' } satisfies Record<EditView, string>,
    viewLabel: 'View',
    emptyTitle: 'The edit appears here',
    emptySteps: [
      ['Give it a context and an answer', 'From any model, or your own. An example is filled in to start with.'],
      ['Choose objectives', 'What the answer should be more like, in order. Ones the model never saw work too.'],
      ['Align', 'The model rewrites the answer, and every changed word is marked.'],
    ] as const,
    original: 'Original',
    edited: 'Edit',
    copy: 'Copy edit',
    copied: 'Copied',
    copyFailed: 'Copying failed',
    useAsAnswer: 'Use as answer',
    legend: { deleted: 'Removed', inserted: 'Added', pending: 'Not reached yet' },
    reading: (promptTokens: number | undefined, readTokens: number) => {
      if (promptTokens === undefined) return 'Reading the prompt…';
      return `Reading the prompt, ${readTokens > 0 ? `${formatCount(readTokens)} of ` : ''}${tokens(promptTokens)}…`;
    },
    writing: 'Writing…',
    otherRevision: (revision: string) =>
      `That was commit ${revision.slice(0, 8)}; the model here is of another, and may write otherwise.`,
    stale: 'You have changed the request since this edit.',
    outOf: (editTokens: number, maxNewTokens: number) =>
      `${formatCount(editTokens)} of at most ${tokens(maxNewTokens)}`,
    kinds: {
      unchanged: () => 'The model left the answer as it is.',
      'only-spaces': () => 'Only blanks and line breaks changed.',
      'only-shortened': ({ deletedWords, keptWords }) =>
        `Only shortened: ${formatCount(deletedWords)} of ${words(deletedWords + keptWords)} removed (${formatPercent(deletedWords / (deletedWords + keptWords))}).`,
      'only-extended': ({ insertedWords }) => `Only extended, by ${words(insertedWords)}.`,
      changed: (_, share) => `${formatPercent(share)} of the words changed.`,
      rewritten: (_, share) => `Rewritten: ${formatPercent(share)} of the words changed.`,
    } satisfies Record<EditKind, (count: ChangeCount, share: number) => string>,
    writtenBy: ({ name, variant, device, host }: ModelUsed) => {
      const model = `${formatModelName(name)}${variant === undefined ? '' : ` (${variant})`}`;
      return host === undefined
        ? `Written by ${model} on this device, ${DEVICE_NAMES[device]}.`
        : `Written by ${model} on ${host}: the text was sent there.`;
    },
    sending: (host: string) => `The text is sent to ${host}.`,
    fold: 'Fold what is unchanged',
    folded: (count: number) => `⋯ ${words(count)} unchanged`,
    export: 'Export',
    exportWords: {
      title: 'Reviewed alignment',
      objectives: 'Objectives',
      model: 'Model',
      decoding: 'Decoding',
      greedy: 'greedy',
      asCheckpoint: 'as the checkpoint says',
      context: 'Context',
      reviewedText: 'Reviewed text',
      changes: 'Changes',
      scores: 'Scores',
      original: 'Original',
      edit: 'Edit',
      reviewed: 'Reviewed',
      lowerIsBetter: 'lower is better',
      withoutNumber: 'without a number',
    },
    exportFormats: {
      text: 'Plain text',
      markdown: 'Markdown, with changes',
      html: 'HTML, with changes',
      json: 'JSON, everything',
    } satisfies Record<ExportFormat, string>,
    measures: {
      title: 'Measures, before and after',
      words: 'Words',
      sentences: 'Sentences',
      readingEase: 'Reading ease (Flesch)',
      repetition: 'Repeated 4-word sequences',
      changed: 'Words changed by the model',
      count: formatCount,
      score: (value: number | undefined) => (value === undefined ? '–' : formatScore(value)),
      share: formatPercent,
      fromTo: (from: string, to: string) => (from === to ? from : `${from} → ${to}`),
      why: 'Of the original and the reviewed text, counted here. Reading ease is for English: 60 to 70 is plain, 30 and less is hard. None of it says whether the edit is better.',
    },
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
    review: {
      title: 'Review the changes',
      previous: 'Previous change (p)',
      next: 'Next change (n)',
      accept: 'Accept',
      reject: 'Reject',
      acceptAll: 'Accept all',
      rejectAll: 'Reject all',
      reword: 'Reword',
      rewordLabel: 'Your own words for this change; Enter keeps them, Escape does not',
      undo: 'Undo',
      copy: 'Copy reviewed text',
      count: (count: number) => (count === 1 ? '1 change' : `${formatCount(count)} changes`),
      place: (index: number, count: number, decision: Decision['type'] | undefined) =>
        `Change ${formatCount(index)} of ${formatCount(count)}${decision === undefined ? '' : `, ${decision}`}`,
      reworded: (count: number) => `${formatCount(count)} reworded`,
      rejected: (count: number) => `${formatCount(count)} rejected`,
    },
    stats: {
      prompt: 'Prompt',
      edit: 'Edit',
      firstToken: 'First token',
      speed: 'Speed',
      perStep: 'Per step',
      total: 'Total',
      changes: 'Changes',
      tokens,
      rate: (tokensPerSecond: number) => `${formatRate(tokensPerSecond)} tokens/s`,
      /** Above 1 where tokens were drafted from the answer: the more of it is kept, the more. */
      perStepOf: (count: number) => `${count.toFixed(1)} tokens`,
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
