import { type ChangeEvent, useRef, useState } from 'react';

import { CATALOGUE, type CatalogueModel } from '../../align/catalogue.ts';
import { CopyButton } from '../../components/CopyButton/CopyButton.tsx';
import dialogStyles from '../../components/Dialog/Dialog.module.css';
import { ErrorBox } from '../../components/ErrorBox/ErrorBox.tsx';
import { GetModel } from '../../components/GetModel/GetModel.tsx';
import { Icon } from '../../components/Icon/Icon.tsx';
import { readyModels } from '../../state/current-request.ts';
import { hostOfModel } from '../../state/server-slice.ts';
import { useApp, useCurrentModel } from '../../state/stores.ts';
import { strings } from '../../strings.ts';
import { classNames } from '../../styles/class-names.ts';
import controls from '../../styles/controls.module.css';
import entries from '../../styles/entries.module.css';
import type { ConvertedModel } from '../../worker-client/model-library.ts';
import { pullCommand } from './commands.ts';
import styles from './ModelChoices.module.css';
import { ReadyBadge } from './ReadyBadge.tsx';
import { ServerSection } from './ServerSection.tsx';
import { useLoadModel } from './use-load-model.ts';

/** React knows the attribute; its types do not. */
const FOLDER_PICKER = { webkitdirectory: '' };

interface ModelChoicesProps {
  onClose: () => void;
}

/** Every model there is: to run now, from disk, of a server, and the published ones with what they need first. */
export function ModelChoices({ onClose }: ModelChoicesProps) {
  const load = useLoadModel();
  const use = (model: ConvertedModel) => {
    onClose();
    void load(model);
  };

  return (
    <>
      <Ready onUse={use} />
      <Disk onUse={use} />
      <ServerSection />
      <section className={dialogStyles.section} aria-labelledby="models-published">
        <h3 id="models-published">{strings.model.published}</h3>
        <p className={controls.hint}>{strings.model.publishedWhy}</p>
        <ul className={entries.list}>
          {CATALOGUE.map((model) => (
            <PublishedModel key={model.id} model={model} onUse={use} />
          ))}
        </ul>
        <OtherModel onUse={use} />
      </section>
    </>
  );
}

function Ready({ onUse }: { onUse: (model: ConvertedModel) => void }) {
  const library = useApp((app) => app.library);
  const pickedModels = useApp((app) => app.pickedModels);
  const store = useApp((app) => app.store);
  const servers = useApp((app) => app.servers);
  const listModels = useApp((app) => app.listModels);
  const models = readyModels({ library, pickedModels, store, servers });

  return (
    <section className={dialogStyles.section} aria-labelledby="models-ready">
      <h3 id="models-ready">{strings.model.served}</h3>
      {library.status === 'loading' && <p className={controls.hint}>{strings.model.listing}</p>}
      {library.status === 'failed' && (
        <ErrorBox error={library.error}>
          <button type="button" className={controls.button} onClick={() => void listModels()}>
            {strings.error.retry}
          </button>
        </ErrorBox>
      )}
      {library.status === 'ready' && models.length === 0 && <p className={controls.hint}>{strings.model.servedNone}</p>}
      {models.length > 0 && (
        <ul className={entries.list}>
          {models.map((model) => (
            <ReadyModel key={model.id} model={model} onUse={() => onUse(model)} />
          ))}
        </ul>
      )}
      {library.status === 'ready' && library.problems.length > 0 && (
        <div className={controls.hint}>
          <p>{strings.model.damaged(library.problems.length)}</p>
          {library.problems.map(({ message }) => (
            <p key={message}>{message}</p>
          ))}
        </div>
      )}
    </section>
  );
}

function ReadyModel({ model, onUse }: { model: ConvertedModel; onUse: () => void }) {
  const current = useCurrentModel();
  const status = useApp((app) => app.model.status);
  const isInUse = current?.id === model.id && status === 'ready';
  const host = hostOfModel(model);
  return (
    <li className={entries.item}>
      <div className={entries.about}>
        <p className={entries.name}>{model.name}</p>
        <p className={controls.hint}>{strings.model.facts(model.family, model.parameterCount, model.contextLength)}</p>
        {model.variants.length > 0 && (
          <p className={controls.hint}>
            {model.variants.map(({ variant, sizeBytes }) => strings.model.variantOf(variant, sizeBytes)).join(', ')}
          </p>
        )}
      </div>
      {!isInUse && <ReadyBadge model={model} />}
      {isInUse ? (
        <span className={controls.badgeReady}>
          <Icon name="check" />
          {strings.model.inUse}
        </span>
      ) : (
        <button
          type="button"
          className={controls.button}
          aria-label={strings.model.use(host === undefined ? model.name : strings.compare.on(model.name, host))}
          onClick={onUse}
        >
          {strings.model.useShort}
        </button>
      )}
    </li>
  );
}

function Disk({ onUse }: { onUse: (model: ConvertedModel) => void }) {
  const input = useRef<HTMLInputElement>(null);
  const pickFolder = useApp((app) => app.pickFolder);
  const pickError = useApp((app) => app.pickError);

  const pick = async (event: ChangeEvent<HTMLInputElement>) => {
    const files = [...(event.target.files ?? [])];
    // Cleared, so that picking the same folder again is a change again.
    event.target.value = '';
    if (files.length === 0) return;
    const model = await pickFolder(files.map((file) => ({ path: file.webkitRelativePath, blob: file })));
    if (model !== undefined) onUse(model);
  };

  return (
    <section className={dialogStyles.section} aria-labelledby="models-disk">
      <h3 id="models-disk">{strings.model.disk}</h3>
      <div className={styles.disk}>
        <p className={controls.hint}>{strings.model.diskWhy}</p>
        <button type="button" className={controls.button} onClick={() => input.current?.click()}>
          <Icon name="folder" />
          {strings.model.openFolder}
        </button>
        <input
          ref={input}
          className={controls.visuallyHidden}
          type="file"
          {...FOLDER_PICKER}
          tabIndex={-1}
          aria-label={strings.model.openFolder}
          data-testid="folder-input"
          onChange={(event) => void pick(event)}
        />
      </div>
      {pickError !== undefined && <ErrorBox error={pickError} />}
    </section>
  );
}

function PublishedModel({ model, onUse }: { model: CatalogueModel; onUse: (model: ConvertedModel) => void }) {
  return (
    <li className={entries.item}>
      <div className={entries.about}>
        <p className={entries.name}>{model.id.slice(model.id.indexOf('/') + 1)}</p>
        <p className={controls.hint}>{strings.model.base(model.base, model.contextLength, model.licence)}</p>
      </div>
      <span className={controls.hint}>{strings.model.download(model.downloadBytes)}</span>
      <GetModel reference={model.id} family={model.family} onReady={onUse} />
      <details className={classNames(controls.disclosure, styles.howTo)}>
        <summary className={controls.hint}>{strings.model.how}</summary>
        <div className={styles.how}>
          <Command label={strings.model.howSteps.pull} command={pullCommand(model.id)} />
          <p>{strings.model.howSteps.reload}</p>
          {model.size !== '1.1B' && <p>{strings.model.tooLarge}</p>}
        </div>
      </details>
    </li>
  );
}

/** Any other model of the hub, or a folder on some host. */
function OtherModel({ onUse }: { onUse: (model: ConvertedModel) => void }) {
  const [text, setText] = useState('');
  const [reference, setReference] = useState<string>();
  return (
    <form
      className={styles.other}
      onSubmit={(event) => {
        event.preventDefault();
        if (text.trim() !== '') setReference(text.trim());
      }}
    >
      <label className={controls.field}>
        <span className={controls.label}>{strings.weights.anyLabel}</span>
        <span className={styles.otherLine}>
          <input
            className={controls.input}
            value={text}
            placeholder={strings.weights.anyPlaceholder}
            onChange={(event) => setText(event.target.value)}
          />
          <button type="submit" className={controls.button} disabled={text.trim() === ''}>
            {strings.weights.look}
          </button>
        </span>
      </label>
      {reference !== undefined && (
        <GetModel key={reference} reference={reference} family={undefined} onReady={onUse} looksAtOnce />
      )}
    </form>
  );
}

function Command({ label, command }: { label: string; command: string }) {
  return (
    <div>
      <p>{label}</p>
      <div className={styles.command}>
        <code>{command}</code>
        <CopyButton text={command} label={strings.model.copyCommand} isIconOnly />
      </div>
    </div>
  );
}
