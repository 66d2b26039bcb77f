import { useApp } from '../../state/stores.ts';
import { strings } from '../../strings.ts';
import styles from './ProgramNotice.module.css';

/** Says that a newer version is ready, or that a reload makes the page faster. Never reloads by itself. */
export function ProgramNotice() {
  const isWaiting = useApp((app) => app.waitingVersion !== undefined);
  const canBecomeFaster = useApp((app) => app.canBecomeFaster);
  const otherTabs = useApp((app) => app.otherTabs);
  const startWaitingVersion = useApp((app) => app.startWaitingVersion);
  if (!isWaiting && !canBecomeFaster) return null;
  const text = strings.program;
  return (
    <p className={styles.notice} role="status">
      <span>{!isWaiting ? text.faster : otherTabs > 0 ? text.otherTabs(otherTabs) : text.newVersion}</span>
      <button type="button" onClick={isWaiting ? () => void startWaitingVersion() : () => location.reload()}>
        {text.reload}
      </button>
    </p>
  );
}
