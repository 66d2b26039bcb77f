/** What of the page decides whether it may call a server. */
export interface PageEnvironment {
  /** Of the page, as `https://host`. */
  origin: string;
  /** Origins that the page's Content-Security-Policy has kept it from calling. */
  blockedOrigins: ReadonlySet<string>;
}

/** @param page  the document's window */
export function watchPage(page: Window): PageEnvironment {
  const blockedOrigins = new Set<string>();
  page.document.addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI }) => {
    const origin = URL.parse(blockedURI)?.origin;
    if (effectiveDirective === 'connect-src' && origin !== undefined) blockedOrigins.add(origin);
  });
  return { origin: page.location.origin, blockedOrigins };
}
