import { isIP } from 'node:net';
import type { MiddlewareHandler } from 'hono';

/** Where models are downloaded from: the hub, and the hosts that it redirects large files to. */
export const HUB_ORIGINS = ['https://huggingface.co', 'https://*.huggingface.co', 'https://*.hf.co'] as const;

/** Servers of models on the visitor's own machine. A policy cannot name IPv6 addresses. */
const LOOPBACK_ORIGINS = ['http://127.0.0.1:*', 'http://localhost:*'] as const;

/**
 * Nothing but this origin, this machine and what is listed, no inline code. `wasm-unsafe-eval` lets WebAssembly compile, and allows no eval
 * of JavaScript.
 */
export const contentSecurityPolicy = (origins: readonly string[]) =>
  [
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval'",
    "worker-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "font-src 'self'",
    ["connect-src 'self'", ...LOOPBACK_ORIGINS, ...origins].join(' '),
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
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Permissions-Policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
};

/**
 * On every answer, errors included.
 *
 * @param origins  that the page may download from and send texts to, in the form of CSP's host sources
 */
export function securityHeaders(origins: readonly string[]): MiddlewareHandler {
  const policy = contentSecurityPolicy(origins);
  return async (context, next) => {
    await next();
    context.res.headers.set('Content-Security-Policy', policy);
    for (const [name, value] of Object.entries(HEADERS)) context.res.headers.set(name, value);
  };
}

/**
 * Refuses requests for host names that are not listed. A site can point its own name at this machine (DNS rebinding) and
 * would then be this origin to a browser; an address in digits cannot be pointed elsewhere. Any port is let through, so that a
 * forwarded one works.
 */
export function knownHostsOnly(names: readonly string[]): MiddlewareHandler {
  const known = new Set(['localhost', ...names.map((name) => name.toLowerCase())]);
  return async (context, next) => {
    const host = (context.req.header('host') ?? '').toLowerCase().replace(/:\d*$/, '');
    if (!known.has(host) && isIP(host.replace(/^\[(.*)\]$/, '$1')) === 0) {
      const message = `This server answers to ${[...known].join(', ')} and addresses, not to “${host}”.\n`;
      // A page may read why: one that got here by another name can read it anyway, as its own origin.
      return context.text(message, 403, { 'Access-Control-Allow-Origin': '*' });
    }
    return next();
  };
}
