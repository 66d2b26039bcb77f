import { Icon } from '../../components/Icon/Icon.tsx';
import { useApp, useCurrentHost, useCurrentModel, useSettings } from '../../state/stores.ts';
import { strings } from '../../strings.ts';
import { classNames } from '../../styles/class-names.ts';
import controls from '../../styles/controls.module.css';
import styles from './AlignBar.module.css';
import { useAlign } from './use-align.ts';

const isMac = navigator.platform.startsWith('Mac');

/** Align, Stop, and whether the prompt fits. */
export function AlignBar() {
  const { align, stop, refusal } = useAlign();
  const model = useCurrentModel();
  const modelStatus = useApp((app) => app.model.status);
  const isRunning = useApp((app) => app.run.status === 'running');
  const isStopping = useApp((app) => app.run.status === 'running' && app.run.isStopping);
  const isReady = modelStatus === 'ready';
  const host = useCurrentHost();
  const isRefused = refusal !== undefined && !isRunning;

  return (
    <div className={styles.bar}>
      <div className={styles.status}>
        {host !== undefined && (
          <p className={styles.sent} data-testid="sent-to">
            <Icon name="server" />
            {strings.server.sent(host)}
          </p>
        )}
        {host !== undefined ? (
          <p>{isRefused ? refusal : strings.align.countThere}</p>
        ) : isReady ? (
          <PromptLength />
        ) : (
          <p>{refusal ?? strings.align.countLater}</p>
        )}
      </div>
      {isRunning ? (
        <button
          type="button"
          className={classNames(controls.button, styles.stop)}
          disabled={isStopping}
          // The second press of a double click is not meant for it.
          onClick={(event) => event.detail < 2 && stop()}
        >
          <Icon name="stop" />
          {isStopping ? strings.align.stopping : strings.align.stop}
          <kbd>{strings.align.stopShortcut}</kbd>
        </button>
      ) : (
        <button
          type="button"
          className={classNames(controls.primary, styles.align)}
          disabled={model === undefined || modelStatus === 'loading' || refusal !== undefined}
          title={refusal}
          onClick={() => void align()}
        >
          {modelStatus === 'loading'
            ? strings.align.loading
            : isReady || model === undefined
              ? strings.align.align
              : host === undefined
                ? strings.align.loadAndAlign
                : strings.server.connectAndAlign}
          <kbd>{strings.align.shortcut(isMac)}</kbd>
        </button>
      )}
    </div>
  );
}

function PromptLength() {
  const count = useApp((app) => app.promptCount);
  const contextLength = useApp((app) => (app.model.status === 'ready' ? (app.model.info.contextLength ?? 0) : 0));
  const maxNewTokens = useSettings((settings) => settings.maxNewTokens);
  if (count.status === 'failed') return <p className={controls.fault}>{count.error.message}</p>;
  if (count.status === 'none') return <p>{strings.align.counting}</p>;
  const { promptTokens } = count;
  const room = contextLength - promptTokens;
  return (
    <>
      <meter
        className={styles.meter}
        aria-label={strings.align.promptMeter}
        min={0}
        max={contextLength}
        value={Math.min(promptTokens, contextLength)}
        data-full={room < 1}
      />
      <p>
        <span className={styles.count} data-testid="prompt-count">
          {strings.align.prompt(promptTokens, contextLength)}
        </span>
        {' · '}
        {room < 1 ? (
          <strong className={controls.fault}>{strings.align.tooLong(1 - room)}</strong>
        ) : room < maxNewTokens ? (
          strings.align.roomShort(room, maxNewTokens)
        ) : (
          strings.align.room(room)
        )}
      </p>
    </>
  );
}
