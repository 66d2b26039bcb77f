import { useMemo } from 'react';

import { ErrorBox } from '../../components/ErrorBox/ErrorBox.tsx';
import { FileButton } from '../../components/FileButton/FileButton.tsx';
import { FileDrop } from '../../components/FileDrop/FileDrop.tsx';
import { Icon } from '../../components/Icon/Icon.tsx';
import { ProgressBar } from '../../components/ProgressBar/ProgressBar.tsx';
import type { EvaluationReport } from '../../evaluation/report/evaluation-report.ts';
import { reportDocument } from '../../evaluation/report/report-document.ts';
import { type ReportFile, reportFiles } from '../../evaluation/report/report-files.ts';
import { useApp } from '../../state/stores.ts';
import { strings } from '../../strings.ts';
import { classNames } from '../../styles/class-names.ts';
import controls from '../../styles/controls.module.css';
import { saveFile } from '../save-file.ts';
import styles from './Evaluate.module.css';
import { ReportView } from './ReportView.tsx';

const text = strings.evaluate;
const ACCEPTED = '.json,.csv,.tsv,.jsonl';

/** Reports of the command line, and files that are scored here, as one report. */
export function Evaluate() {
  const evaluation = useApp((app) => app.evaluation);
  const hasFiles = useApp((app) => app.evaluationFiles.length > 0);
  const add = useApp((app) => app.addEvaluationFile);
  const { report } = evaluation;
  return (
    <main className={styles.page} aria-labelledby="evaluate-title">
      <div>
        <h2 id="evaluate-title">{text.title}</h2>
        <p className={controls.hint}>{text.why}</p>
      </div>
      {hasFiles ? (
        <Files />
      ) : (
        <FileDrop
          text={text.drop}
          hint={text.dropHint}
          label={text.choose}
          accept={ACCEPTED}
          isMultiple
          onPick={(file) => void add(file)}
          testId="evaluation-input"
        />
      )}
      {evaluation.status === 'failed' && <ErrorBox error={evaluation.error} />}
      {report !== undefined && <Report report={report} />}
    </main>
  );
}

function Files() {
  const files = useApp((app) => app.evaluationFiles);
  const evaluation = useApp((app) => app.evaluation);
  const add = useApp((app) => app.addEvaluationFile);
  const remove = useApp((app) => app.removeEvaluationFile);
  const close = useApp((app) => app.closeEvaluation);
  const isRunning = evaluation.status === 'running';
  return (
    <section className={classNames(controls.panel, styles.section)} aria-labelledby="evaluate-files">
      <div className={styles.line}>
        <h3 id="evaluate-files">{text.files(files.length)}</h3>
        <p className={controls.hint} role="status">
          {isRunning && text.reading(evaluation.finished, files.length)}
        </p>
        <span className={styles.spring} />
        <FileButton
          label={text.add}
          accept={ACCEPTED}
          isMultiple
          onPick={(file) => void add(file)}
          testId="evaluation-input"
        />
        <button type="button" className={controls.quiet} onClick={close}>
          {text.close}
        </button>
      </div>
      <ul className={styles.files}>
        {files.map(({ file, problem }, i) => (
          <li key={i}>
            <div className={styles.line}>
              <span className={styles.fileName}>{file.name}</span>
              <button
                type="button"
                className={controls.iconButton}
                aria-label={text.remove(file.name)}
                title={text.remove(file.name)}
                onClick={() => void remove(i)}
              >
                <Icon name="close" />
              </button>
            </div>
            {problem !== undefined && <ErrorBox error={problem} />}
          </li>
        ))}
      </ul>
      {isRunning && <ProgressBar label={text.progress} fraction={evaluation.finished / files.length} />}
    </section>
  );
}

function Report({ report }: { report: EvaluationReport }) {
  const blocks = useMemo(() => reportDocument(report, text.report), [report]);
  const files = useMemo(() => reportFiles(report, text.report), [report]);
  return (
    <>
      <section className={classNames(controls.panel, styles.section)} aria-labelledby="evaluate-save">
        <h3 id="evaluate-save">{text.save}</h3>
        <div className={styles.line}>
          {files.map((file) => (
            <button key={file.name} type="button" className={controls.button} onClick={() => save(file)}>
              <Icon name="save" />
              {file.name}
            </button>
          ))}
        </div>
      </section>
      <ReportView blocks={blocks} />
    </>
  );
}

function save({ name, type, content }: ReportFile): void {
  saveFile(new Blob([content()], { type: `${type};charset=utf-8` }), name);
}
