import { useDeferredValue, useMemo, useState } from 'react';

import { isWhole } from '../../align/alignment.ts';
import { ErrorBox } from '../../components/ErrorBox/ErrorBox.tsx';
import { FileButton } from '../../components/FileButton/FileButton.tsx';
import { Icon } from '../../components/Icon/Icon.tsx';
import { focusNeighbour, SureButton } from '../../components/SureButton/SureButton.tsx';
import { type HistoryEntry, matchesSearch, writeHistoryFile } from '../../history/history-entry.ts';
import { MAX_UNPINNED_ENTRIES } from '../../state/history-slice.ts';
import { openEntry } from '../../state/open-request.ts';
import { useApp, useStores } from '../../state/stores.ts';
import { strings } from '../../strings.ts';
import { classNames } from '../../styles/class-names.ts';
import controls from '../../styles/controls.module.css';
import { saveFile } from '../save-file.ts';
import styles from './History.module.css';

const text = strings.history;
/** So many are drawn, and as many more at a press. */
const PAGE = 50;

/** The runs that this browser keeps. */
export function History() {
  const history = useApp((app) => app.history);
  const load = useApp((app) => app.loadHistory);
  return (
    <main className={styles.page} tabIndex={-1} aria-labelledby="history-title">
      <div>
        <h2 id="history-title">{text.title}</h2>
        <p className={controls.hint}>{text.why(MAX_UNPINNED_ENTRIES)}</p>
      </div>
      {history.status === 'loading' && <p className={controls.hint}>{strings.storage.loading}</p>}
      {history.status === 'failed' && (
        <ErrorBox error={history.error}>
          <button type="button" className={controls.button} onClick={() => void load()}>
            {strings.error.retry}
          </button>
        </ErrorBox>
      )}
      {history.status === 'ready' && <Entries entries={history.entries} />}
    </main>
  );
}

function Entries({ entries }: { entries: readonly HistoryEntry[] }) {
  const [search, setSearch] = useState('');
  const [shownCount, setShownCount] = useState(PAGE);
  const sought = useDeferredValue(search);
  const found = useMemo(() => {
    const matching = entries.filter((entry) => matchesSearch(entry, sought));
    return [...matching.filter(({ isPinned }) => isPinned), ...matching.filter(({ isPinned }) => !isPinned)];
  }, [entries, sought]);
  return (
    <>
      <div className={styles.tools}>
        <input
          className={classNames(controls.input, styles.search)}
          type="search"
          value={search}
          placeholder={text.search}
          aria-label={text.search}
          onChange={(event) => {
            setSearch(event.target.value);
            setShownCount(PAGE);
          }}
        />
        <Files entries={entries} found={found} isSearching={sought.trim() !== ''} />
      </div>
      <p className={controls.hint} role="status">
        {entries.length === 0 ? text.none : text.count(found.length, entries.length)}
      </p>
      {found.length > 0 && (
        <ul className={classNames(controls.panel, styles.list)}>
          {found.slice(0, shownCount).map((entry) => (
            <Entry key={entry.id} entry={entry} />
          ))}
        </ul>
      )}
      {found.length > shownCount && (
        <button type="button" className={controls.button} onClick={() => setShownCount(shownCount + PAGE)}>
          {text.more(Math.min(PAGE, found.length - shownCount))}
        </button>
      )}
    </>
  );
}

interface FilesProps {
  entries: readonly HistoryEntry[];
  found: readonly HistoryEntry[];
  isSearching: boolean;
}

/** The history as a file, and back. */
function Files({ entries, found, isSearching }: FilesProps) {
  const outcome = useApp((app) => app.historyImport);
  const importHistory = useApp((app) => app.importHistory);
  const remove = useApp((app) => app.removeEntries);
  const unpinned = found.filter(({ isPinned }) => !isPinned);
  const save = () =>
    saveFile(new Blob([writeHistoryFile(isSearching ? found : entries)], { type: 'application/json' }), 'history.json');
  return (
    <>
      <button type="button" className={controls.button} disabled={found.length === 0} onClick={save}>
        <Icon name="save" />
        {isSearching ? text.exportFound(found.length) : text.export}
      </button>
      <FileButton
        label={text.import}
        accept=".json,application/json"
        onPick={(file) => void file.text().then(importHistory)}
        testId="history-import"
      />
      <SureButton
        className={controls.quiet}
        isDisabled={unpinned.length === 0}
        question={text.clearSure(unpinned.length)}
        sure={strings.storage.remove}
        onSure={() => void remove(unpinned.map(({ id }) => id))}
      >
        {isSearching ? text.clearFound(unpinned.length) : text.clear}
      </SureButton>
      {outcome?.status === 'done' && (
        <p className={classNames(controls.hint, styles.outcome)} role="status">
          {text.imported(outcome.added, outcome.damaged)}
        </p>
      )}
      {outcome?.status === 'failed' && (
        <div className={styles.outcome}>
          <ErrorBox error={outcome.error} />
        </div>
      )}
    </>
  );
}

/** Of a text the start is shown. */
const EXCERPT = 220;

function Entry({ entry }: { entry: HistoryEntry }) {
  const stores = useStores();
  const pin = useApp((app) => app.pinEntry);
  const remove = useApp((app) => app.removeEntries);
  const { request, edit, model, createdAt, isPinned, decisions } = entry;
  const objectives = request.objectives.map(({ label }) => label).join(', ');
  const wordCount = edit.match(/\S+/g)?.length ?? 0;
  const open = () => {
    void openEntry(stores, entry);
    window.location.hash = '';
  };
  const name = text.name(createdAt, objectives);
  return (
    <li className={styles.entry} aria-label={name}>
      <div className={styles.about}>
        <p className={styles.objectives}>
          {isPinned && <Icon name="pin" />}
          {objectives}
        </p>
        <p className={styles.edit} dir="auto">
          {edit.slice(0, EXCERPT)}
          {edit.length > EXCERPT && '…'}
        </p>
        <p className={controls.hint}>{text.facts(createdAt, model, wordCount, isWhole(entry), decisions.length)}</p>
      </div>
      <div className={styles.actions}>
        <button type="button" className={controls.button} onClick={open} aria-label={text.openLabel(name)}>
          {text.open}
        </button>
        <button
          type="button"
          className={controls.iconButton}
          aria-pressed={isPinned}
          aria-label={text.pinLabel(name)}
          title={text.pin}
          onClick={() => void pin(entry.id, !isPinned)}
        >
          <Icon name="pin" />
        </button>
        <SureButton
          className={controls.iconButton}
          label={text.removeLabel(name)}
          title={strings.storage.remove}
          question={isPinned ? text.removePinnedSure : undefined}
          sure={strings.storage.remove}
          onSure={(button) => {
            focusNeighbour(button);
            void remove([entry.id]);
          }}
        >
          <Icon name="close" />
        </SureButton>
      </div>
    </li>
  );
}
