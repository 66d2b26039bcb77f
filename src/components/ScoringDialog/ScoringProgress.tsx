import type { Scoring } from '../../state/scores-slice.ts';
import { strings } from '../../strings.ts';
import controls from '../../styles/controls.module.css';
import type { ClassifierProgress } from '../../../workers/scores-protocol.ts';

const text = strings.scores;

/** How far a scoring is, in words. */
export function ScoringProgress({ scoring }: { scoring: Extract<Scoring, { status: 'running' }> }) {
  const { of, done, all, progress } = scoring;
  const words = of === 'batch' ? text.workingRows(done, all) : text.working(done, all);
  return <p className={controls.hint}>{progress === undefined ? words : loadingText(progress)}</p>;
}

export function loadingText({ phase, doneBytes, totalBytes }: ClassifierProgress): string {
  return text.loading[phase](totalBytes === 0 ? 0 : Math.floor((100 * doneBytes) / totalBytes));
}
