import type { ReactNode } from 'react';

import type { AlignErrorData } from '../../align/errors.ts';
import { Icon } from '../Icon/Icon.tsx';
import styles from './ErrorBox.module.css';

/** What happened, and what to do about it. `children` are the buttons that do it. */
export function ErrorBox({ error, children }: { error: AlignErrorData; children?: ReactNode }) {
  return (
    <div className={styles.box} role="alert" data-code={error.code}>
      <Icon name="alert" />
      <div className={styles.text}>
        <p className={styles.message}>{error.message}</p>
        <p>{error.remedy}</p>
        {children !== undefined && <div className={styles.actions}>{children}</div>}
      </div>
    </div>
  );
}
