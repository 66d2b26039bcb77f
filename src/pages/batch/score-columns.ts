import { lineKey, type ObjectiveScore } from '../../align/scores.ts';
import type { RowState } from '../../batch/page-batch.ts';
import { type Scale, scaleOf } from '../../components/Scores/scale.ts';

/** One objective by one scorer, as a column. */
export interface ScoreColumn {
  key: string;
  label: string;
  scorer: string;
  scale: Scale;
}

/** In the order in which they first appear, each with one scale for all of its rows. */
export function scoreColumns(results: ReadonlyMap<number, RowState>): ScoreColumn[] {
  const byKey = new Map<string, { label: string; scorer: string; scores: ObjectiveScore[] }>();
  for (const state of results.values()) {
    if (!('edit' in state) || state.scores === undefined) continue;
    for (const score of state.scores.scores) {
      const key = lineKey(score);
      const column = byKey.get(key);
      if (column === undefined)
        byKey.set(key, { label: score.objective.label, scorer: score.scorer.name, scores: [score] });
      else column.scores.push(score);
    }
  }
  return [...byKey].map(([key, { label, scorer, scores }]) => ({ key, label, scorer, scale: scaleOf(scores) }));
}
