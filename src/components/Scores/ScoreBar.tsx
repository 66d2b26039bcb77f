import type { Score } from '../../align/scores.ts';
import styles from './Scores.module.css';
import { barOf, type Scale } from './scale.ts';

interface ScoreBarProps {
  score: Score;
  scale: Scale;
  /** The original's is drawn fainter. */
  isOriginal: boolean;
}

/** Decoration: the number stands beside it. */
export function ScoreBar({ score, scale, isOriginal }: ScoreBarProps) {
  const bar = barOf(score, scale);
  const zero = (100 * (0 - scale.low)) / (scale.high - scale.low);
  return (
    <svg className={styles.bar} width="100%" height="10" aria-hidden="true" focusable="false">
      <rect className={styles.track} width="100%" height="10" rx="2" />
      {bar !== undefined && (
        <rect
          className={isOriginal ? styles.originalBar : styles.editBar}
          x={`${bar.start}%`}
          width={`${bar.length}%`}
          height="10"
          rx="2"
        />
      )}
      {zero > 0 && <line className={styles.zero} x1={`${zero}%`} x2={`${zero}%`} y1="0" y2="10" />}
      {bar?.spread !== undefined && (
        <>
          <line
            className={styles.whisker}
            x1={`${bar.spread.start}%`}
            x2={`${bar.spread.start + bar.spread.length}%`}
            y1="5"
            y2="5"
          />
          {[bar.spread.start, bar.spread.start + bar.spread.length].map((at, i) => (
            <line key={i} className={styles.whisker} x1={`${at}%`} x2={`${at}%`} y1="1.5" y2="8.5" />
          ))}
        </>
      )}
    </svg>
  );
}
