import { AlignError } from '../align/errors.ts';
import { hostOf } from '../engines/server-call.ts';
import type { PageEnvironment } from './page-environment.ts';
import { isLoopbackHost, isNumericHost } from './server-address.ts';

export interface FailedCall {
  url: string;
  hasKey: boolean;
  page: PageEnvironment;
}

/** The browser tells of a blocked call a moment after it has failed. */
const POLICY_MS = 50;
const PROBE_MS = 5000;

/**
 * What a call's failure means for a page, and how to mend it. A browser tells a page only that a call failed; why is found
 * out by what else the page may do.
 */
export async function explainFailure(error: unknown, call: FailedCall): Promise<unknown> {
  if (!(error instanceof AlignError)) return error;
  const { code, details } = error;
  if (code === 'server-unreachable') return (await findObstacle(call)) ?? unreachable(call, error);
  if (code === 'key-refused') {
    const isOfName = details.status === 403 && (await refusesName(call.url));
    return isOfName ? hostNotKnown(call) : keyRefused(call, error);
  }
  if (code === 'server-busy' && typeof details.retryAfterMs === 'number') {
    const message = `${error.message.replace(/[.\s]*$/, '')}. It may be asked again in ${details.retryAfterMs / 1000} s.`;
    return new AlignError('server-busy', message, { cause: error, details });
  }
  if (code === 'unknown-name' && details.status === 404) {
    const message = `${hostOf(call.url)} answers, but has no MetaAligner interface there (404). “metaaligner serve” has one; “metaaligner start” only serves the page.`;
    return new AlignError('server-failed', message, { cause: error });
  }
  return error;
}

/** @returns undefined where nothing but the server itself can be behind it */
async function findObstacle({ url, page }: FailedCall): Promise<AlignError | undefined> {
  const { origin, protocol, hostname, host } = new URL(url);
  const isLocal = isLoopbackHost(hostname);
  if (page.origin.startsWith('https:') && protocol === 'http:' && !isLocal) {
    return notAllowed(
      `This page came over https, and from there a browser calls no http server but this machine’s own. Give ${host} https, by a proxy before it.`,
    );
  }
  await new Promise((resolve) => setTimeout(resolve, POLICY_MS));
  if (page.blockedOrigins.has(origin)) {
    return notAllowed(
      `This page’s Content-Security-Policy does not let it call ${host}. Start the page with “--server ${origin}”, or add ${origin} to connect-src where it is hosted.`,
    );
  }
  const health = await probe(`${url}/healthz`);
  if (health?.status === 403) return mayRefuseName(url) ? hostNotKnown({ url }) : undefined;
  if (health?.ok !== true || origin === page.origin) return undefined;
  return notAllowed(
    `${host} runs, but lets no page from ${page.origin} call it: start it with “--allow-origin ${page.origin}”.`,
  );
}

/** A proxy may answer 403 for a key alone; a server of ours does so for a name, and then for its health too. */
async function refusesName(url: string): Promise<boolean> {
  return mayRefuseName(url) && (await probe(`${url}/healthz`))?.status === 403;
}

/** To its address in digits, and to this machine's own name, every server of ours answers. */
function mayRefuseName(url: string): boolean {
  const { hostname } = new URL(url);
  return hostname !== 'localhost' && !isNumericHost(hostname);
}

/** Any page may read whether a server of ours is there. */
async function probe(url: string): Promise<Response | undefined> {
  const aborter = new AbortController();
  const timer = setTimeout(() => aborter.abort(), PROBE_MS);
  try {
    const response = await fetch(url, { redirect: 'error', credentials: 'omit', signal: aborter.signal });
    await response.body?.cancel();
    return response;
  } catch {
    // That nothing can be learnt this way is what is learnt.
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

function unreachable({ url }: FailedCall, cause: AlignError): AlignError {
  const message = `${hostOf(url)} cannot be reached from this page: nothing answers there, or what does is no MetaAligner server.`;
  return new AlignError('server-unreachable', message, { cause, details: cause.details });
}

function hostNotKnown({ url }: Pick<FailedCall, 'url'>): AlignError {
  const { host, hostname } = new URL(url);
  return notAllowed(`${host} answers, but not to that name (403): start it with “--allow-host ${hostname}”.`);
}

function keyRefused({ url, hasKey }: FailedCall, cause: AlignError): AlignError {
  const message = hasKey ? `${hostOf(url)} does not know this key.` : `${hostOf(url)} needs a key.`;
  return new AlignError('key-refused', message, { cause, details: cause.details });
}

function notAllowed(message: string): AlignError {
  return new AlignError('call-not-allowed', message);
}
