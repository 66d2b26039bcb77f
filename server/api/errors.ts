import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { z } from 'zod';
import { AlignError, type AlignErrorCode } from '../../src/align/errors.ts';
import type { ApiEnv } from './request-log.ts';
import { BusyError } from './work-queue.ts';

/** What a client is told, in the form of OpenAI's errors. */
export interface ErrorBody {
  error: { message: string; type: string; code: string; param?: string };
}

const STATUS: Partial<Record<AlignErrorCode, ContentfulStatusCode>> = {
  'invalid-request': 400,
  'unknown-name': 400,
  'prompt-too-long': 400,
  'out-of-memory': 503,
  'device-lost': 503,
  'server-busy': 503,
  'server-unreachable': 502,
  'server-failed': 502,
  // Of the upstream: a client can do nothing about it.
  'key-refused': 502,
};

/** Seconds after which a client may come again. */
const RETRY_AFTER: Partial<Record<number, string>> = { 429: '1', 503: '5' };

/** @returns undefined for what is a bug of ours: it is logged and told to nobody */
export function describeError(error: unknown): { status: ContentfulStatusCode; body: ErrorBody } | undefined {
  if (error instanceof z.ZodError) {
    const [issue] = error.issues;
    const param = issue?.path.join('.') ?? '';
    const message = `${param === '' ? 'The body' : param}: ${issue?.message ?? 'is not valid'}.`;
    return { status: 400, body: { error: { message, type: 'invalid_request_error', code: 'invalid-request', param } } };
  }
  if (error instanceof BusyError) {
    return { status: 429, body: { error: { message: error.message, type: 'rate_limit_error', code: 'busy' } } };
  }
  if (error instanceof DOMException && error.name === 'TimeoutError') {
    return { status: 504, body: { error: { message: error.message, type: 'timeout', code: 'deadline' } } };
  }
  if (error instanceof DOMException && error.name === 'AbortError') {
    return { status: 503, body: { error: { message: error.message, type: 'server_error', code: 'stopped' } } };
  }
  if (!(error instanceof AlignError)) return undefined;
  const status = STATUS[error.code] ?? 500;
  const type = status < 500 ? 'invalid_request_error' : 'server_error';
  return { status, body: { error: { message: `${error.message} ${error.remedy}`, type, code: error.code } } };
}

/** @throws what is a bug of ours */
export function errorResponse(context: Context<ApiEnv>, error: unknown): Response {
  // Nobody reads it: the client has left, which ended the run.
  if (context.req.raw.signal.aborted) return new Response(undefined, { status: 499 });
  const described = describeError(error);
  context.get('facts').errorCode = described?.body.error.code ?? 'bug';
  if (described === undefined) throw error;
  const retryAfter = RETRY_AFTER[described.status];
  return context.json(described.body, described.status, retryAfter === undefined ? {} : { 'Retry-After': retryAfter });
}

/** On the terminal: where it happened, and not the message, which may repeat what a user wrote. */
export function logBug(error: unknown): void {
  const { name, stack = '' } = error instanceof Error ? error : new Error();
  const frames = stack.split('\n').filter((line) => /^\s+at /.test(line));
  console.error(
    JSON.stringify({ time: new Date().toISOString(), event: 'bug', name, stack: frames.map((f) => f.trim()) }),
  );
}
