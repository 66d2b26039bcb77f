import { Component, type ReactNode } from 'react';

import { strings } from '../strings.ts';
import controls from '../styles/controls.module.css';
import styles from './App.module.css';

/** Stands in for a page that a bug of ours took down. React offers this to classes only, and logs the error itself. */
export class CrashScreen extends Component<{ children: ReactNode }, { hasCrashed: boolean }> {
  override state = { hasCrashed: false };

  static getDerivedStateFromError(): { hasCrashed: boolean } {
    return { hasCrashed: true };
  }

  override render(): ReactNode {
    if (!this.state.hasCrashed) return this.props.children;
    return (
      <main className={styles.crash} role="alert">
        <h1>{strings.crash.title}</h1>
        <p>{strings.crash.kept}</p>
        <button type="button" className={controls.primary} onClick={() => location.reload()}>
          {strings.crash.reload}
        </button>
      </main>
    );
  }
}
