import type { MiddlewareHandler } from 'hono';

/**
 * Nothing but this origin, no inline code. `wasm-unsafe-eval` lets WebAssembly compile, and allows no eval of
 * JavaScript.
 */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "worker-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Cross-origin isolation: without it there is no SharedArrayBuffer, so wasm has one thread. */
export const ISOLATION_HEADERS = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
} as const;

const HEADERS: Record<string, string> = {
  ...ISOLATION_HEADERS,
  'Content-Security-Policy': CONTENT_SECURITY_POLICY,
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Permissions-Policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
};

/** On every answer, errors included. */
export function securityHeaders(): MiddlewareHandler {
  return async (context, next) => {
    await next();
    for (const [name, value] of Object.entries(HEADERS)) context.res.headers.set(name, value);
  };
}

const LOCAL_HOSTS = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * Refuses requests for other host names. A site can point its own name at 127.0.0.1 (DNS rebinding) and would then be
 * this origin to a browser. Any port is let through, so that a forwarded one works.
 */
export function localHostsOnly(): MiddlewareHandler {
  return async (context, next) => {
    const host = (context.req.header('host') ?? '').toLowerCase().replace(/:\d*$/, '');
    if (!LOCAL_HOSTS.has(host)) {
      return context.text(`This server answers to ${[...LOCAL_HOSTS].join(', ')} only, not to “${host}”.\n`, 403);
    }
    return next();
  };
}
