import { gainOf, isWithinSpread, type ObjectiveScore, type Score, type SideBySide } from '../../align/scores.ts';
import { strings } from '../../strings.ts';
import controls from '../../styles/controls.module.css';
import { ScoreBar } from './ScoreBar.tsx';
import { type Scale, scaleOf } from './scale.ts';
import styles from './Scores.module.css';

const text = strings.scores;

/** Each objective before and after: bars for the eye, the same as a table for everyone. */
export function Scores({
  scores,
  isOfEarlierReview,
}: {
  scores: readonly ObjectiveScore[];
  isOfEarlierReview: boolean;
}) {
  return (
    <table className={styles.scores}>
      <caption className={controls.visuallyHidden}>{text.title}</caption>
      <colgroup>
        <col className={styles.nameColumn} />
        <col />
        <col className={styles.valueColumn} />
        <col className={styles.changeColumn} />
      </colgroup>
      {scores.map((score, i) => (
        <Line key={i} line={score} isOfEarlierReview={isOfEarlierReview} />
      ))}
    </table>
  );
}

function Line({ line, isOfEarlierReview }: { line: ObjectiveScore; isOfEarlierReview: boolean }) {
  const { objective, scorer, original, edit, reviewed, comparison } = line;
  const scale = scaleOf([line]);
  return (
    <tbody>
      <tr>
        <th scope="rowgroup" colSpan={4} className={styles.objective}>
          {objective.label} <span className={controls.hint}>{text.scorer(scorer)}</span>
        </th>
      </tr>
      <TextRow name={strings.edit.original} score={original} scale={scale} isOriginal change={undefined} />
      <TextRow name={strings.edit.edited} score={edit} scale={scale} change={changeOf(line, edit)} />
      {reviewed !== undefined && (
        <TextRow
          name={isOfEarlierReview ? text.reviewedBefore : text.reviewed}
          score={reviewed}
          scale={scale}
          change={changeOf(line, reviewed)}
        />
      )}
      {comparison !== undefined && (
        <tr>
          <td colSpan={4} className={controls.hint}>
            {sentence(strings.edit.edited, comparison.edit)}
            {comparison.reviewed !== undefined && ` ${sentence(text.reviewed, comparison.reviewed)}`}
          </td>
        </tr>
      )}
    </tbody>
  );
}

interface TextRowProps {
  name: string;
  score: Score;
  scale: Scale;
  isOriginal?: boolean;
  change: string | undefined;
}

function TextRow({ name, score, scale, isOriginal = false, change }: TextRowProps) {
  const remarks = text.remarks(score);
  return (
    <>
      <tr>
        <th scope="row" className={styles.name}>
          {name}
        </th>
        <td className={styles.barCell}>
          <ScoreBar score={score} scale={scale} isOriginal={isOriginal} />
        </td>
        <td className={styles.value}>{score.value === undefined ? text.none : text.number(score.value)}</td>
        <td className={styles.change}>{change}</td>
      </tr>
      {remarks !== '' && (
        <tr>
          <td />
          <td colSpan={3} className={controls.hint}>
            {remarks}
          </td>
        </tr>
      )}
    </>
  );
}

/** How much better the text is than the original. */
function changeOf({ scorer, original }: ObjectiveScore, after: Score): string | undefined {
  const gain = gainOf(scorer, original, after);
  return gain === undefined ? undefined : text.change(gain, isWithinSpread(original, after));
}

function sentence(name: string, { outcome, isConsistent }: SideBySide): string {
  return text.sideBySide(name, outcome, isConsistent);
}
