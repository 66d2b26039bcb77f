import { type Context, type MiddlewareHandler } from 'hono';
import { cors } from 'hono/cors';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { findKey, type KeyEntry } from '../keys.ts';
import type { Admission } from './admission.ts';
import type { ApiEnv } from './request-log.ts';

/** Lets pages of these origins call: to others no header says that they may. */
export function allowOrigins(origins: readonly string[]): MiddlewareHandler {
  return cors({
    origin: (origin) => (origins.includes(origin) ? origin : null),
    allowMethods: ['GET', 'POST'],
    allowHeaders: ['Authorization', 'Content-Type'],
    exposeHeaders: ['Retry-After', 'X-Request-Id'],
    maxAge: 600,
  });
}

/** Lets in who has a key; everyone where there are no keys, which is on this machine only. */
export function requireKey(keys: readonly KeyEntry[] | undefined): MiddlewareHandler<ApiEnv> {
  return async (context, next) => {
    if (keys === undefined) return next();
    const given = /^Bearer +(\S+)$/i.exec(context.req.header('authorization') ?? '')?.[1];
    const entry = given === undefined ? undefined : findKey(keys, given);
    if (entry === undefined) {
      const message =
        given === undefined ? 'A key is needed: “Authorization: Bearer KEY”.' : 'The key is not known here.';
      context.header('WWW-Authenticate', 'Bearer');
      return refuse(context, 401, 'authentication_error', 'key-refused', message);
    }
    context.get('facts').key = entry;
    return next();
  };
}

/** What other sites' forms can send without being asked is not JSON. */
export function jsonOnly(): MiddlewareHandler<ApiEnv> {
  return async (context, next) => {
    const type = context.req.header('content-type') ?? '';
    if (context.req.method !== 'POST' || /^application\/json\s*(;|$)/i.test(type)) return next();
    const message = 'The body must be JSON, with the content type application/json.';
    return refuse(context, 415, 'invalid_request_error', 'invalid-request', message);
  };
}

/**
 * Ends the connection of a client that takes nothing of a whole answer any more: it would hold its place, and the answer its
 * memory. Streams see to it themselves. Until the answer is there the model may take its time.
 */
export function cutSlowReaders(slowReaderMs: number): MiddlewareHandler<ApiEnv> {
  return async (context, next) => {
    const { socket } = context.env.incoming;
    // Node sets its own again with the connection's next request.
    socket.setTimeout(0);
    await next();
    if (context.res.headers.get('content-type')?.startsWith('text/event-stream') === true) return;
    const tell = () => void (context.get('facts').errorCode ??= 'slow-reader');
    socket.once('timeout', tell).setTimeout(slowReaderMs);
    context.env.outgoing.once('close', () => socket.off('timeout', tell));
  };
}

/** Turns away what is too much before its body is read. */
export function admit(admission: Admission): MiddlewareHandler<ApiEnv> {
  return async (context, next) => {
    if (context.req.method !== 'POST') return next();
    const { key } = context.get('facts');
    const leave = admission.enter(key);
    if (leave === 'stopped') {
      context.header('Connection', 'close');
      return refuse(context, 503, 'server_error', 'stopped', 'The server is being stopped.', '5');
    }
    if (leave === 'busy') {
      const message = 'As many requests as may be are answered already; try again in a moment.';
      return refuse(context, 429, 'rate_limit_error', 'busy', message, '1');
    }
    if (leave === 'limit') {
      const message = `This key may have ${key?.maxRequests} requests at a time; try again when one has ended.`;
      return refuse(context, 429, 'rate_limit_error', 'key-limit', message, '1');
    }
    context.env.outgoing.once('close', leave);
    return next();
  };
}

export function refuse(
  context: Context<ApiEnv>,
  status: ContentfulStatusCode,
  type: string,
  code: string,
  message: string,
  retryAfter?: string,
): Response {
  context.get('facts').errorCode = code;
  if (retryAfter !== undefined) context.header('Retry-After', retryAfter);
  return context.json({ error: { message, type, code } }, status);
}
