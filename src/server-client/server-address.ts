import { AlignError } from '../align/errors.ts';

/**
 * What a visitor typed as a server's address, as `ServerLocation.url` wants it: `127.0.0.1:4173`, `https://host/v1/` and the
 * like. Without a scheme it is http on this machine and https elsewhere.
 *
 * @throws AlignError `invalid-request` that says what is wrong with it
 */
export function parseServerAddress(text: string): string {
  const trimmed = text.trim();
  const refuse = (what: string) => new AlignError('invalid-request', `“${shown(trimmed)}” ${what}.`);
  if (trimmed === '')
    throw new AlignError('invalid-request', 'There is no address yet, such as http://127.0.0.1:4173.');
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(trimmed);
  const url = URL.parse(hasScheme ? trimmed : `http://${trimmed}`);
  if (url === null) throw refuse('is no address such as http://127.0.0.1:4173');
  if (!hasScheme && !isLoopbackHost(url.hostname)) url.protocol = 'https:';
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw refuse('is no http or https address');
  if (url.username !== '' || url.password !== '') {
    throw new AlignError('invalid-request', 'The address holds a name or password; the key has a field of its own.');
  }
  if (url.search !== '' || url.hash !== '') throw refuse('has a query or a fragment; the address alone is needed');
  return url.origin + url.pathname.replace(/\/+$/, '').replace(/\/v1$/, '');
}

/** Whether a host is this machine: what goes there goes nowhere else. */
export function isLoopbackHost(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);
}

/** Whether a host is an address in digits, to which every server of ours answers. */
export function isNumericHost(hostname: string): boolean {
  return hostname.startsWith('[') || /^\d{1,3}(\.\d{1,3}){3}$/.test(hostname);
}

function shown(text: string): string {
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
