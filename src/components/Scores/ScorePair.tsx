import type { ObjectiveScore } from '../../align/scores.ts';
import { strings } from '../../strings.ts';
import { ScoreBar } from './ScoreBar.tsx';
import type { Scale } from './scale.ts';
import styles from './Scores.module.css';

/** Before and after in a table's cell. */
export function ScorePair({ score: { original, edit }, scale }: { score: ObjectiveScore; scale: Scale }) {
  const number = (value: number | undefined) => (value === undefined ? '–' : strings.scores.number(value));
  const label = strings.scores.fromTo(number(original.value), number(edit.value));
  const remarks = [original, edit].map(strings.scores.remarks).filter((remark) => remark !== '');
  return (
    <div className={styles.pair} title={remarks.length === 0 ? undefined : remarks.join(' / ')}>
      <div className={styles.pairBars}>
        <ScoreBar score={original} scale={scale} isOriginal />
        <ScoreBar score={edit} scale={scale} isOriginal={false} />
      </div>
      <span className={styles.pairValue}>{label}</span>
    </div>
  );
}
