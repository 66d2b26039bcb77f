import { useMemo, useState } from 'react';

import type { AlignErrorData } from '../../align/errors.ts';
import { AlignError } from '../../align/errors.ts';
import { ErrorBox } from '../../components/ErrorBox/ErrorBox.tsx';
import { FileDrop } from '../../components/FileDrop/FileDrop.tsx';
import { Icon } from '../../components/Icon/Icon.tsx';
import { NumberField } from '../../components/NumberField/NumberField.tsx';
import {
  buildDataset,
  type BuildSettings,
  type BuiltDataset,
  DATA_OBJECTIVES,
  type DatasetFile,
  datasetFiles,
} from '../../datasets/build-dataset.ts';
import { ITEM_FRAMES, type TextItemFormat } from '../../datasets/item-format.ts';
import { ITEM_SPLITS, type ItemSplit } from '../../datasets/item-lists.ts';
import type { Data as DataState } from '../../state/data-slice.ts';
import { useApp } from '../../state/stores.ts';
import { strings } from '../../strings.ts';
import { classNames } from '../../styles/class-names.ts';
import controls from '../../styles/controls.module.css';
import { saveFile } from '../save-file.ts';
import styles from './Data.module.css';
import { Facts } from './Facts.tsx';
import { PairTable } from './PairTable.tsx';

const text = strings.data;
type Ready = Extract<DataState, { status: 'ready' }>;

/** A file of preference data, and what an aligner would learn from it. */
export function Data() {
  const data = useApp((app) => app.data);
  return (
    <main className={styles.page} aria-labelledby="data-title">
      <div>
        <h2 id="data-title">{text.title}</h2>
        <p className={controls.hint}>{text.why}</p>
      </div>
      <p className={controls.notice}>{text.note}</p>
      {data.status === 'reading' && <p role="status">{text.reading(data.fileName)}</p>}
      {data.status === 'failed' && <ErrorBox error={data.error} />}
      {(data.status === 'none' || data.status === 'failed') && <Drop />}
      {data.status === 'ready' && <Built data={data} />}
    </main>
  );
}

function Drop() {
  const open = useApp((app) => app.openData);
  return (
    <FileDrop
      text={text.drop}
      hint={text.dropHint}
      label={text.choose}
      accept=".csv,.tsv,.jsonl"
      onPick={(file) => void open(file)}
      testId="data-input"
    />
  );
}

function Built({ data }: { data: Ready }) {
  const settings = useApp((app) => app.dataSettings);
  const built = useMemo(() => buildOrError(data, settings), [data, settings]);
  return (
    <>
      <Settings data={data} settings={settings} />
      {'code' in built ? (
        <ErrorBox error={built} />
      ) : (
        <>
          <Facts built={built} />
          {built.pairs.length > 0 && <PairTable built={built} />}
          <Exports built={built} fileName={data.fileName} />
        </>
      )}
    </>
  );
}

function buildOrError({ fileName, kind, rows }: Ready, settings: BuildSettings): BuiltDataset | AlignErrorData {
  try {
    return buildDataset(fileName, kind, rows, settings);
  } catch (error) {
    if (error instanceof AlignError) return error.toJSON();
    throw error;
  }
}

const isCount = (value: number) => Number.isInteger(value) && value >= 0 && value < 2 ** 32;
const COUNT_RANGE = { min: 0, max: 2 ** 32 - 1, step: 1 };

function Settings({ data: { fileName, kind, rows }, settings }: { data: Ready; settings: BuildSettings }) {
  const change = useApp((app) => app.changeDataSettings);
  const close = useApp((app) => app.closeData);
  const most = DATA_OBJECTIVES[kind].length;
  const words = text.settings;
  const isTest = kind === 'hh-rlhf' && settings.split === 'test';
  return (
    <section className={classNames(controls.panel, styles.section)} aria-labelledby="data-file">
      <div className={styles.line}>
        <h3 id="data-file">{fileName}</h3>
        <p className={controls.hint}>{text.rows(rows.length, text.kinds[kind])}</p>
        <span className={styles.spring} />
        <button type="button" className={controls.quiet} onClick={close}>
          {text.close}
        </button>
      </div>
      <div className={styles.fields}>
        {kind === 'hh-rlhf' && (
          <div className={controls.field}>
            <label className={controls.label} htmlFor="data-split">
              {words.split}
            </label>
            <select
              id="data-split"
              className={controls.select}
              value={settings.split}
              onChange={(event) => change({ split: event.target.value as ItemSplit })}
            >
              {ITEM_SPLITS.map((split) => (
                <option key={split} value={split}>
                  {words.splits[split]}
                </option>
              ))}
            </select>
          </div>
        )}
        <NumberField
          label={words.seed}
          hint={words.seedHint}
          value={settings.seed}
          range={COUNT_RANGE}
          isValid={isCount}
          fault={words.seedFault}
          onChange={(seed) => change({ seed })}
        />
        <NumberField
          label={words.valSize}
          value={settings.valSize}
          range={COUNT_RANGE}
          isValid={isCount}
          fault={words.sizeFault}
          isDisabled={isTest}
          onChange={(valSize) => change({ valSize })}
        />
        {kind === 'ultrafeedback' && (
          <NumberField
            label={words.testSize}
            value={settings.testSize}
            range={COUNT_RANGE}
            isValid={isCount}
            fault={words.sizeFault}
            onChange={(testSize) => change({ testSize })}
          />
        )}
        <NumberField
          label={words.maxObjectives}
          value={Math.min(settings.maxObjectives, most)}
          range={{ min: 1, max: most, step: 1 }}
          isValid={(value) => isCount(value) && value >= 1 && value <= most}
          fault={words.maxObjectivesFault(most)}
          // All of one kind of data are all of the other's.
          onChange={(maxObjectives) => change({ maxObjectives: maxObjectives === most ? Infinity : maxObjectives })}
        />
      </div>
    </section>
  );
}

/** Items that are put together before the page gets a turn. */
const EXPORTED_AT_ONCE = 1000;
const TYPES: Record<string, string> = { json: 'application/json', jsonl: 'application/jsonl', csv: 'text/csv' };

function Exports({ built, fileName }: { built: BuiltDataset; fileName: string }) {
  const [format, setFormat] = useState<TextItemFormat>('fastchat');
  const [isWriting, setIsWriting] = useState(false);
  const files = useMemo(() => datasetFiles(built, format), [built, format]);
  const save = async ({ path, pieces }: DatasetFile) => {
    setIsWriting(true);
    const parts: string[] = [];
    let pending: string[] = [];
    for (const piece of pieces()) {
      if (pending.push(piece) < EXPORTED_AT_ONCE) continue;
      parts.push(pending.join(''));
      pending = [];
      await new Promise((resolve) => setTimeout(resolve));
    }
    const type = TYPES[path.slice(path.lastIndexOf('.') + 1)] ?? 'text/plain';
    const name = `${fileName.replace(/\.[^.]+$/, '')}-${path.replace('/', '-')}`;
    saveFile(new Blob([...parts, ...pending], { type: `${type};charset=utf-8` }), name);
    setIsWriting(false);
  };
  return (
    <section className={classNames(controls.panel, styles.section)} aria-labelledby="data-export">
      <h3 id="data-export">{text.export}</h3>
      {built.lists instanceof AlignError ? (
        <ErrorBox error={built.lists.toJSON()} />
      ) : (
        <>
          <div className={styles.line}>
            <label className={controls.label} htmlFor="data-format">
              {text.format}
            </label>
            <select
              id="data-format"
              className={classNames(controls.select, styles.format)}
              value={format}
              onChange={(event) => setFormat(event.target.value as TextItemFormat)}
            >
              {(Object.keys(ITEM_FRAMES) as TextItemFormat[]).map((each) => (
                <option key={each} value={each}>
                  {text.formats[each]}
                </option>
              ))}
            </select>
          </div>
          <div className={styles.line}>
            {files.map((file) => (
              <button
                key={file.path}
                type="button"
                className={controls.button}
                disabled={isWriting}
                onClick={() => void save(file)}
              >
                <Icon name="save" />
                {text.save(file.path, file.count)}
              </button>
            ))}
          </div>
        </>
      )}
    </section>
  );
}
