import { type ReactNode, useEffect } from 'react';

import type { TemplateId } from '../../align/prompt.ts';
import { useApp, useSettings } from '../../state/stores.ts';
import type { Transfer } from '../../state/weights-slice.ts';
import { strings } from '../../strings.ts';
import controls from '../../styles/controls.module.css';
import type { TransferPlan, TransferRequest } from '../../../workers/weights-protocol.ts';
import type { ConvertedModel } from '../../worker-client/model-library.ts';
import { ErrorBox } from '../ErrorBox/ErrorBox.tsx';
import { ProgressBar } from '../ProgressBar/ProgressBar.tsx';
import styles from './GetModel.module.css';

interface GetModelProps {
  /** A hub id or a folder's address. */
  reference: string;
  /** Where the visitor or the catalogue knows it better than the name. */
  family: TemplateId | undefined;
  /** The model is stored. */
  onReady: (model: ConvertedModel) => void;
  /** Asks what it takes without a press first. */
  looksAtOnce?: boolean;
}

/** Everything between wanting a model and having it: what it takes, progress, pause, what went wrong. */
export function GetModel({ reference, family, onReady, looksAtOnce = false }: GetModelProps) {
  const transfer = useApp((app) => app.transfers[reference]);
  const unfinished = useApp(({ store }) =>
    store.status === 'ready' ? store.report.unfinished.find(({ source }) => source === reference) : undefined,
  );
  const plan = useApp((app) => app.planTransfer);
  const start = useApp((app) => app.startTransfer);
  const endpoint = useSettings((settings) => settings.hubEndpoint);
  const token = useSettings((settings) => settings.hubToken);
  const device = useSettings((settings) => settings.device);
  const request: TransferRequest = {
    reference,
    variant: unfinished?.variant ?? 'auto',
    device,
    endpoint,
    token: token === '' ? undefined : token,
    family,
  };
  const begin = async (chosen: TransferRequest) => {
    const model = await start(chosen);
    if (model !== undefined) onReady(model);
  };
  const look = () => void plan(request);
  useEffect(() => {
    if (looksAtOnce) look();
    // Once for each reference: the component is mounted anew for another one.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [reference]);

  if (transfer === undefined) {
    return (
      <div className={styles.line}>
        {unfinished !== undefined && (
          <span className={controls.badge}>{strings.weights.unfinished(unfinished.storedBytes)}</span>
        )}
        {unfinished !== undefined ? (
          <button type="button" className={controls.primary} onClick={() => void begin(request)}>
            {strings.weights.resume}
          </button>
        ) : (
          <button
            type="button"
            className={controls.button}
            aria-label={strings.weights.getLabel(reference)}
            onClick={look}
          >
            {strings.weights.get}
          </button>
        )}
      </div>
    );
  }
  return <TransferState reference={reference} transfer={transfer} onBegin={(chosen) => void begin(chosen)} />;
}

function TransferState({
  reference,
  transfer,
  onBegin,
}: {
  reference: string;
  transfer: Transfer;
  onBegin: (request: TransferRequest) => void;
}) {
  const pause = useApp((app) => app.pauseTransfer);
  const close = useApp((app) => app.closeTransfer);
  const plan = useApp((app) => app.planTransfer);
  switch (transfer.status) {
    case 'planning':
      return (
        <Card>
          <p>{strings.weights.looking}</p>
        </Card>
      );
    case 'planned':
      return (
        <Card>
          <Plan plan={transfer.plan} />
          <div className={styles.buttons}>
            <button type="button" className={controls.primary} onClick={() => onBegin(transfer.request)}>
              {strings.weights.begin}
            </button>
            <button type="button" className={controls.button} onClick={() => close(reference)}>
              {strings.weights.close}
            </button>
          </div>
        </Card>
      );
    case 'running':
      return (
        <Card>
          <Progress reference={reference} transfer={transfer} />
          <div className={styles.buttons}>
            <button type="button" className={controls.button} onClick={() => void pause(reference)}>
              {strings.weights.pause}
            </button>
          </div>
        </Card>
      );
    case 'failed':
      return (
        <Card>
          <ErrorBox error={transfer.error}>
            <button type="button" className={controls.button} onClick={() => void plan(transfer.request)}>
              {strings.error.retry}
            </button>
            <button type="button" className={controls.button} onClick={() => close(reference)}>
              {strings.weights.close}
            </button>
          </ErrorBox>
        </Card>
      );
    default:
      return transfer satisfies never;
  }
}

function Card({ children }: { children: ReactNode }) {
  return <div className={styles.card}>{children}</div>;
}

function Plan({ plan: { source, key, cost, trust } }: { plan: TransferPlan }) {
  return (
    <div className={styles.plan}>
      <p>
        <strong>{strings.weights.costs(cost.downloadBytes, cost.keepBytes)}</strong>{' '}
        {cost.expectedSeconds === undefined ? strings.weights.timeUnknown : strings.weights.time(cost.expectedSeconds)}
      </p>
      <p>
        {strings.weights.sources[source]}, {strings.weights.variant(key.variant)}. {strings.weights.trust[trust]}
      </p>
      <p className={cost.missingBytes !== undefined && cost.missingBytes > 0 ? controls.fault : undefined}>
        {cost.missingBytes === undefined
          ? strings.weights.roomUnknown
          : cost.missingBytes === 0
            ? strings.weights.fits
            : strings.weights.missing(cost.missingBytes)}
      </p>
    </div>
  );
}

function Progress({
  reference,
  transfer: { progress, trouble },
}: {
  reference: string;
  transfer: Extract<Transfer, { status: 'running' }>;
}) {
  const fraction = progress === undefined ? undefined : progress.loadedBytes / Math.max(progress.totalBytes, 1);
  return (
    <div className={styles.progress}>
      <ProgressBar label={strings.weights.progressLabel(reference)} fraction={fraction} />
      <p className={controls.hint}>
        {progress === undefined
          ? strings.weights.starting
          : [
              strings.weights.phases[progress.phase],
              strings.weights.amount(progress.loadedBytes, progress.totalBytes),
              progress.bytesPerSecond === undefined ? undefined : strings.weights.speed(progress.bytesPerSecond),
              progress.secondsLeft === undefined ? undefined : strings.weights.left(progress.secondsLeft),
              progress.isElsewhere ? strings.weights.elsewhere : undefined,
            ]
              .filter((part) => part !== undefined)
              .join(' · ')}
      </p>
      {trouble !== undefined && <p className={controls.hint}>{strings.weights.trouble(trouble)}</p>}
    </div>
  );
}
