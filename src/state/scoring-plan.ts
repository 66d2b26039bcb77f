import type { ScoringPlan } from './scores-slice.ts';
import { isJudgeUrl } from './scoring-settings.ts';
import type { Settings } from './settings-store.ts';

/** Who would score now. An address that is none is no judge. */
export function scoringPlan({ scoring, device, hubEndpoint, hubToken }: Settings): ScoringPlan {
  const { isAutomatic: _isAutomatic, ...plan } = scoring;
  const isComplete = plan.judge !== 'endpoint' || (isJudgeUrl(plan.judgeUrl) && plan.judgeModel.trim() !== '');
  return { ...plan, judge: isComplete ? plan.judge : 'none', device, hubEndpoint, hubToken };
}

/** @returns where texts would be sent to, as `https://api.example`; undefined where they stay in this page */
export function judgeOrigin({ judge, judgeUrl }: Pick<ScoringPlan, 'judge' | 'judgeUrl'>): string | undefined {
  return judge === 'endpoint' && isJudgeUrl(judgeUrl) ? new URL(judgeUrl).origin : undefined;
}
