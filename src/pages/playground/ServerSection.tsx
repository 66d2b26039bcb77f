import { useId, useState } from 'react';

import dialogStyles from '../../components/Dialog/Dialog.module.css';
import { ErrorBox } from '../../components/ErrorBox/ErrorBox.tsx';
import { TextField } from '../../components/TextField/TextField.tsx';
import { addressAsKept, isReadableOnTheWay, type KnownServer } from '../../state/server-slice.ts';
import { useApp, useSettings } from '../../state/stores.ts';
import { strings } from '../../strings.ts';
import controls from '../../styles/controls.module.css';
import styles from './ServerSection.module.css';

const text = strings.server;

/** Whose models may be used beside those of this device, and when. */
export function ServerSection() {
  const servers = useApp((app) => app.servers);
  return (
    <section className={dialogStyles.section} aria-labelledby="models-server">
      <h3 id="models-server">{text.title}</h3>
      <p className={controls.hint}>{text.why}</p>
      {servers.map((server) => (
        <Server key={server.url} server={server} />
      ))}
      <AddressForm />
    </section>
  );
}

/** What a server answered last, and what may be done with it. */
function Server({ server }: { server: KnownServer }) {
  const { url, host, isOwn, status, models, error, key } = server;
  const id = useId();
  const check = useApp((app) => app.checkServer);
  const forget = useApp((app) => app.forgetServer);
  const fallbackServer = useSettings((settings) => settings.fallbackServer);
  const serverUrl = useSettings((settings) => settings.serverUrl);
  const modelId = useSettings((settings) => settings.modelId);
  const change = useSettings((settings) => settings.change);
  const contextLength = models.length === 1 ? models[0]?.contextLength : undefined;

  return (
    <div className={styles.server} data-testid="server" data-status={status}>
      {isOwn && <p className={controls.hint}>{text.own(host)}</p>}
      <div role="status">
        {status === 'checking' && <p className={controls.hint}>{text.asking}</p>}
        {status === 'ready' && (
          <p>
            {text.connected(
              host,
              models.map(({ name }) => name),
              contextLength,
              key !== 'none',
            )}
          </p>
        )}
      </div>
      {status === 'failed' && error !== undefined && (
        <>
          <p className={controls.hint}>{text.fails(host)}</p>
          <ErrorBox error={error}>
            <button type="button" className={controls.button} onClick={() => void check(url)}>
              {strings.error.retry}
            </button>
          </ErrorBox>
        </>
      )}
      {(status === 'ready' || fallbackServer === url) && (
        <label className={styles.choice}>
          <input
            type="checkbox"
            checked={fallbackServer === url}
            aria-describedby={`${id}-fallback`}
            onChange={(event) => change({ fallbackServer: event.target.checked ? url : undefined })}
          />
          <span>
            {text.fallback(host)}
            <span id={`${id}-fallback`} className={styles.choiceWhy}>
              {text.fallbackWhy}
            </span>
          </span>
        </label>
      )}
      {(!isOwn || key !== 'none') && (
        <div>
          <button
            type="button"
            className={controls.button}
            onClick={() => {
              change({
                ...(modelId?.startsWith(`server:${url}#`) === true && { modelId: undefined }),
                ...(serverUrl === url && { serverUrl: undefined }),
                ...(fallbackServer === url && { fallbackServer: undefined }),
              });
              void forget(url);
            }}
          >
            {text.forget}
          </button>
        </div>
      )}
    </div>
  );
}

/** An address and a key, which are tried before they are kept. */
function AddressForm() {
  const id = useId();
  const { fallbackServer, serverUrl, change } = useSettings((settings) => settings);
  const servers = useApp((app) => app.servers);
  const connect = useApp((app) => app.connectServer);
  const isConnecting = useApp((app) => app.isConnecting);
  const error = useApp((app) => app.connectError);
  const locked = servers.find((server) => server.isOwn && server.error?.code === 'key-refused');
  const [address, setAddress] = useState<string>();
  const [key, setKey] = useState('');
  const [remembers, setRemembers] = useState<boolean>();
  const shown = address ?? serverUrl ?? locked?.url ?? '';
  const known = servers.find(({ url }) => url === addressAsKept(shown));
  const isRemembered = remembers ?? known?.key === 'remembered';

  const submit = async () => {
    const url = await connect(shown, key, isRemembered);
    if (url === undefined) return;
    const isOwn = servers.some((server) => server.isOwn && server.url === url);
    // What was agreed to was another server.
    const keepsFallback = fallbackServer === url || servers.some((one) => one.isOwn && one.url === fallbackServer);
    change({ ...(!isOwn && { serverUrl: url }), ...(!keepsFallback && { fallbackServer: undefined }) });
    setAddress(url);
    setKey('');
    setRemembers(undefined);
  };

  return (
    <form
      className={styles.form}
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      <TextField
        label={text.address}
        value={shown}
        placeholder={text.addressPlaceholder}
        inputMode="url"
        autoComplete="off"
        spellCheck={false}
        onChange={setAddress}
      />
      <TextField
        label={text.key}
        type="password"
        value={key}
        autoComplete="off"
        aria-describedby={`${id}-key-why`}
        onChange={setKey}
      />
      <p id={`${id}-key-why`} className={styles.wide}>
        {known !== undefined && known.key !== 'none' ? text.keyKept : text.keyWhy}
      </p>
      {isReadableOnTheWay(shown) && <p className={styles.wide}>{text.readable}</p>}
      <label className={styles.choice}>
        <input
          type="checkbox"
          checked={isRemembered}
          aria-describedby={`${id}-remember`}
          onChange={(event) => setRemembers(event.target.checked)}
        />
        <span>
          {text.remember}
          <span id={`${id}-remember`} className={styles.choiceWhy}>
            {text.rememberWhy}
          </span>
        </span>
      </label>
      <button type="submit" className={controls.button} disabled={isConnecting || shown.trim() === ''}>
        {isConnecting ? text.connecting : text.connect}
      </button>
      {error !== undefined && (
        <div className={styles.wide}>
          <ErrorBox error={error} />
        </div>
      )}
    </form>
  );
}
