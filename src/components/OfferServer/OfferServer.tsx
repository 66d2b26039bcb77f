import { useId, useRef } from 'react';
import { createPortal } from 'react-dom';

import { hostOfModel } from '../../state/server-slice.ts';
import { substituteFor } from '../../state/stand-in-slice.ts';
import { useApp, useCurrentModel, useSettings, useStores } from '../../state/stores.ts';
import { strings } from '../../strings.ts';
import controls from '../../styles/controls.module.css';
import type { ConvertedModel } from '../../worker-client/model-library.ts';
import { Icon } from '../Icon/Icon.tsx';
import styles from './OfferServer.module.css';

const text = strings.server;

interface OfferServerProps {
  /** The server's model is ready. */
  onReady?: () => void;
  /** Where no server is known that has a model in the place of this one. */
  onSetUp?: () => void;
}

/** Beside what this device cannot run: the server that can. It asks before the first text goes there. */
export function OfferServer({ onReady, onSetUp }: OfferServerProps) {
  const model = useCurrentModel();
  const servers = useApp((app) => app.servers);
  const substitute = model && substituteFor(model, servers);
  if (model === undefined || hostOfModel(model) !== undefined) return null;
  if (substitute?.location.kind === 'server') {
    return <Offer substitute={substitute} url={substitute.location.url} {...(onReady && { onReady })} />;
  }
  if (onSetUp === undefined) return null;
  return (
    <button type="button" className={controls.button} onClick={onSetUp}>
      {text.setUp}
    </button>
  );
}

function Offer({ substitute, url, onReady }: { substitute: ConvertedModel; url: string; onReady?: () => void }) {
  const id = useId();
  const dialog = useRef<HTMLDialogElement>(null);
  const { settings } = useStores();
  const isAgreed = useSettings(({ fallbackServer }) => fallbackServer === url);
  const takeStandIn = useApp((app) => app.takeStandIn);
  const { host } = new URL(url);
  const close = () => dialog.current?.close();
  const go = async () => {
    close();
    if (await takeStandIn(substitute, settings.getState())) onReady?.();
  };
  return (
    <>
      <button
        type="button"
        className={controls.button}
        onClick={() => (isAgreed ? void go() : dialog.current?.showModal())}
      >
        <Icon name="server" />
        {text.offer(host)}
      </button>
      {createPortal(
        <dialog ref={dialog} className={styles.dialog} aria-labelledby={`${id}-title`}>
          <div className={styles.content}>
            <h2 id={`${id}-title`}>{text.consentTitle(host)}</h2>
            <p>{text.consentWhat(substitute.name, host)}</p>
            <div className={styles.buttons}>
              <button
                type="button"
                className={controls.primary}
                onClick={() => {
                  settings.getState().change({ fallbackServer: url });
                  void go();
                }}
              >
                {text.consentAlways}
              </button>
              <button type="button" className={controls.button} onClick={() => void go()}>
                {text.consentForPage}
              </button>
              <button type="button" className={controls.quiet} onClick={close}>
                {text.consentNo}
              </button>
            </div>
          </div>
        </dialog>,
        document.body,
      )}
    </>
  );
}
