import { useEffect, useState } from 'react';

import type { AlignErrorData } from '../align/errors.ts';
import type { AlignRequest } from '../align/request.ts';
import { ErrorBox } from '../components/ErrorBox/ErrorBox.tsx';
import { readShareFragment, SHARE_PREFIX } from '../share/share-link.ts';
import { toErrorData } from '../state/error-data.ts';
import { openRequest } from '../state/open-request.ts';
import { useCurrentTemplate, useStores } from '../state/stores.ts';
import { strings } from '../strings.ts';
import controls from '../styles/controls.module.css';
import styles from './App.module.css';

type Shared = { status: 'opened'; request: AlignRequest } | { status: 'failed'; error: AlignErrorData };

/** Puts the request of a shared address on the page and says so, or says what is wrong with the address. */
export function SharedNotice() {
  const [shared, close] = useSharedRequest();
  const template = useCurrentTemplate();
  if (shared === undefined) return null;
  const closeButton = (
    <button type="button" className={controls.button} onClick={close}>
      {strings.share.close}
    </button>
  );
  if (shared.status === 'failed') {
    return (
      <div className={styles.notice}>
        <ErrorBox error={shared.error}>{closeButton}</ErrorBox>
      </div>
    );
  }
  return (
    <div className={styles.notice} role="status">
      <p>
        {strings.share.opened}
        {shared.request.template !== template && ` ${strings.share.otherFamily(shared.request.template)}`}
      </p>
      {closeButton}
    </div>
  );
}

function useSharedRequest(): [Shared | undefined, () => void] {
  const stores = useStores();
  const [shared, setShared] = useState<Shared | undefined>(undefined);
  useEffect(() => {
    const read = async () => {
      const fragment = window.location.hash.slice(1);
      if (!fragment.startsWith(SHARE_PREFIX)) return;
      // Gone from the address at once: a reload keeps what the visitor made of it.
      window.history.replaceState(null, '', `${window.location.pathname}${window.location.search}`);
      try {
        const request = await readShareFragment(fragment);
        openRequest(stores, request);
        setShared({ status: 'opened', request });
      } catch (error) {
        setShared({ status: 'failed', error: toErrorData(error) });
      }
    };
    void read();
    const onChange = () => void read();
    window.addEventListener('hashchange', onChange);
    return () => window.removeEventListener('hashchange', onChange);
  }, [stores]);
  return [shared, () => setShared(undefined)];
}
