import { useRef } from 'react';

import {
  EXPORT_FILES,
  EXPORT_FORMATS,
  type ExportFormat,
  exportReview,
  type ReviewedAlignment,
} from '../../align/export-review.ts';
import { Icon } from '../../components/Icon/Icon.tsx';
import { language } from '../../locale.ts';
import { strings } from '../../strings.ts';
import controls from '../../styles/controls.module.css';
import { saveFile } from '../save-file.ts';
import styles from './EditPanel.module.css';

/** The reviewed text as a file. */
export function ExportMenu({ reviewed }: { reviewed: ReviewedAlignment }) {
  const menu = useRef<HTMLDetailsElement>(null);
  const close = () => menu.current?.removeAttribute('open');
  const save = (format: ExportFormat) => {
    const { extension, type } = EXPORT_FILES[format];
    const text = exportReview(format, reviewed, { language, mentalHealth: strings.imhi, ...strings.edit.exportWords });
    saveFile(new Blob([text], { type: `${type};charset=utf-8` }), `aligned.${extension}`);
    close();
  };
  return (
    <details
      ref={menu}
      className={styles.export}
      onKeyDown={(event) => event.key === 'Escape' && close()}
      onBlur={(event) => event.currentTarget.contains(event.relatedTarget) || close()}
    >
      <summary className={controls.quiet}>
        <Icon name="save" />
        {strings.edit.export}
      </summary>
      <div className={styles.formats} role="group" aria-label={strings.edit.export}>
        {EXPORT_FORMATS.map((format) => (
          <button key={format} type="button" className={controls.quiet} onClick={() => save(format)}>
            {strings.edit.exportFormats[format]}
          </button>
        ))}
      </div>
    </details>
  );
}
