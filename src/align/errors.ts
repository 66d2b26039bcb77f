/** What the person at the screen can do. A code without a line here does not compile. */
const REMEDY = {
  'invalid-request': 'Correct the request and try again.',
  'prompt-too-long': 'Shorten the context or the answer, or choose a model with a longer context.',
  'unknown-name': 'Choose one of the names listed.',
  'webgpu-unavailable':
    'Use the wasm engine, or open the page in a browser with WebGPU (Chrome, Edge, Safari 26, Firefox 141).',
  'device-lost': 'Reload the model; close other tabs that use the GPU.',
  'out-of-memory': 'Close other tabs, or choose a smaller model or variant.',
  'engine-failed': 'Reload the model. If it happens again, choose another variant or device.',
  'unsupported-model': 'Choose a checkpoint without the feature named.',
  'checkpoint-corrupt': 'Download the checkpoint again and compare its checksum with the publisher’s.',
  'weights-missing': 'Convert the checkpoint first, or choose a variant that the folder holds.',
  'weights-unreachable': 'Check the connection and the address, then try again.',
  'weights-corrupt': 'Convert or download the model again.',
  'weights-changed': 'Start the download again: it takes the files as they are now.',
  'access-denied':
    'Accept the model’s terms on its page at the hub, then give an access token with read permission (in the page: “Access token” under Storage; on the command line: the variable HF_TOKEN).',
  offline: 'Connect to the network; the download goes on where it stopped.',
  'storage-unavailable':
    'Leave private browsing, or allow this site to store data; a model from a folder still works without.',
  'storage-full': 'Free some space, then try again; what was stored before is intact.',
  'server-unreachable': 'Check the server’s address and that it is running.',
  'server-busy': 'Try again in a moment.',
  'server-failed': 'Try again. If it happens again, the server’s own log says why.',
  'call-not-allowed':
    'Start the server or this page with the option named, or open the page that the server serves itself.',
  'key-refused': 'Check the key, and that it is meant for this server.',
  'worker-crashed': 'Load the model again. If it happens again, choose a smaller variant.',
} as const;

export type AlignErrorCode = keyof typeof REMEDY;

/** An AlignError as plain data: what crosses the worker boundary and HTTP. */
export interface AlignErrorData {
  code: AlignErrorCode;
  /** The fact, with its numbers. */
  message: string;
  /** What to do about it. */
  remedy: string;
  /** Numbers and ids behind the message. */
  details: Record<string, unknown>;
}

/** The one error class of the product. Anything else that is thrown is a bug in our code. */
export class AlignError extends Error {
  override readonly name = 'AlignError';
  readonly code: AlignErrorCode;
  readonly details: Record<string, unknown>;

  /** @param message  the fact with its numbers; the way out is {@link remedy} */
  constructor(
    code: AlignErrorCode,
    message: string,
    options: { cause?: unknown; details?: Record<string, unknown> } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }

  get remedy(): string {
    return REMEDY[this.code];
  }

  /** The cause stays behind: it is logged where it happened. */
  toJSON(): AlignErrorData {
    return { code: this.code, message: this.message, remedy: this.remedy, details: this.details };
  }

  /** @returns the error that `toJSON` described, or undefined when `value` is something else */
  static fromJSON(value: unknown): AlignError | undefined {
    if (typeof value !== 'object' || value === null) return undefined;
    const { code, message, details } = value as Partial<AlignErrorData>;
    if (typeof code !== 'string' || !Object.hasOwn(REMEDY, code) || typeof message !== 'string') return undefined;
    return new AlignError(code, message, { details: details ?? {} });
  }
}

const DEVICE_FAULTS: readonly AlignErrorCode[] = [
  'webgpu-unavailable',
  'device-lost',
  'out-of-memory',
  'engine-failed',
  'worker-crashed',
];

/** Whether an error says that this device does not run a model, rather than that its files or the request are wrong. */
export function isDeviceFault({ code }: Pick<AlignErrorData, 'code'>): boolean {
  return DEVICE_FAULTS.includes(code);
}
