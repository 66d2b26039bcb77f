import type { AppStore } from './app-store.ts';
import { costOf } from './score-texts.ts';
import { judgeOrigin, scoringPlan } from './scoring-plan.ts';
import type { SettingsStore } from './settings-store.ts';

/** Scores each edit when it is written, where the visitor wants that and has agreed to where its texts go. */
export function keepScored({ app, settings }: { app: AppStore; settings: SettingsStore }): void {
  app.subscribe(({ run }, { run: before }) => {
    if (run.status !== 'done' || before.status !== 'running' || run.edit === '') return;
    const { scoring } = settings.getState();
    if (!scoring.isAutomatic || run.finishReason === 'cancelled') return;
    const plan = scoringPlan(settings.getState());
    const origin = judgeOrigin(plan);
    if (origin !== undefined && app.getState().agreedOrigin !== origin) return;
    if (costOf({ request: run.request, reviewed: undefined }, plan).lines === 0) return;
    void app.getState().scoreRun(plan, undefined);
  });
}
