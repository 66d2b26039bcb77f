import { useState } from 'react';

import type { AlignRequest } from '../../align/request.ts';
import { Icon } from '../../components/Icon/Icon.tsx';
import { writeShareFragment } from '../../share/share-link.ts';
import { strings } from '../../strings.ts';
import controls from '../../styles/controls.module.css';

/** Longer addresses are cut by some mail programs and chats. */
const SAFE_LINK_LENGTH = 8000;

/** Copies an address that holds the request. The text is in the address alone; nothing is sent. */
export function ShareButton({ request }: { request: AlignRequest }) {
  const [said, setSaid] = useState<string | undefined>(undefined);
  const copy = async () => {
    try {
      const address = new URL(document.baseURI);
      address.hash = await writeShareFragment(request);
      await navigator.clipboard.writeText(address.href);
      const { length } = address.href;
      setSaid(length > SAFE_LINK_LENGTH ? strings.share.long(length) : strings.share.copied);
    } catch {
      // Denied by the browser, no secure context, or a browser that packs nothing: the button says so.
      setSaid(strings.edit.copyFailed);
    }
  };
  return (
    <button
      type="button"
      className={controls.quiet}
      // What cannot be aligned cannot be opened either.
      disabled={request.answer.trim() === '' || request.objectives.length === 0}
      title={strings.share.why}
      onClick={() => void copy()}
      onBlur={() => setSaid(undefined)}
    >
      <Icon name="link" />
      <span aria-live="polite">{said ?? strings.share.copy}</span>
    </button>
  );
}
