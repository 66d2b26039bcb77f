import { useCallback, useEffect, useEffectEvent, useRef, useState } from 'react';

import { ObjectivePicker } from '../../components/ObjectivePicker/ObjectivePicker.tsx';
import { chosenObjectives } from '../../state/draft-store.ts';
import type { Run } from '../../state/run-slice.ts';
import { useApp, useCurrentHost, useCurrentTemplate, useDraft } from '../../state/stores.ts';
import { strings } from '../../strings.ts';
import controls from '../../styles/controls.module.css';
import { AlignBar } from './AlignBar.tsx';
import { ComparePanel } from './ComparePanel.tsx';
import { EditPanel } from './EditPanel.tsx';
import { GenerationSettings } from './GenerationSettings.tsx';
import { ModelPanel } from './ModelPanel.tsx';
import styles from './Playground.module.css';
import { PromptView } from './PromptView.tsx';
import { type ResultTab, ResultTabs } from './ResultTabs.tsx';
import { ScoresPanel } from './ScoresPanel.tsx';
import { TextEditors } from './TextEditors.tsx';
import { useAlign } from './use-align.ts';

export function Playground() {
  const editPanel = useRef<HTMLElement>(null);
  const [tab, setTab] = useState<ResultTab>('edit');
  // The same at each drawing, so that a long edit is not drawn anew for it.
  const showScores = useCallback(() => setTab('scores'), []);
  useShortcuts();
  useScrollToRun(editPanel, () => setTab('edit'));
  return (
    <main className={styles.page}>
      <div className={styles.inputs}>
        <ModelPanel />
        <div className={controls.panel}>
          <TextEditors />
          <Objectives />
          <GenerationSettings />
          <PromptView />
          <AlignBar />
        </div>
      </div>
      <div className={styles.result}>
        <ResultTabs chosen={tab} onChoose={setTab} />
        <div id="result-panel" className={styles.tabPanel} role="tabpanel" aria-labelledby={`tab-${tab}`}>
          {tab === 'edit' && <EditPanel panel={editPanel} onShowScores={showScores} />}
          {tab === 'compare' && <ComparePanel onOpen={() => setTab('edit')} />}
          {tab === 'scores' && <ScoresPanel />}
        </div>
      </div>
      <Announcer />
    </main>
  );
}

function Objectives() {
  const template = useCurrentTemplate();
  const objectiveKeys = useDraft((draft) => draft.objectiveKeys);
  const customObjectives = useDraft((draft) => draft.customObjectives);
  const setObjectives = useDraft((draft) => draft.setObjectives);
  const defineObjective = useDraft((draft) => draft.defineObjective);
  const forgetObjective = useDraft((draft) => draft.forgetObjective);
  return (
    <section className={styles.section} aria-labelledby="objectives-title">
      <h2 id="objectives-title">{strings.objectives.title}</h2>
      <ObjectivePicker
        chosen={chosenObjectives({ objectiveKeys, customObjectives }, template)}
        customObjectives={customObjectives}
        template={template}
        onChange={setObjectives}
        onDefine={defineObjective}
        onForget={forgetObjective}
      />
    </section>
  );
}

/** Ctrl or Cmd with Enter aligns, Escape stops; an open dialog keeps both for itself. */
function useShortcuts() {
  const { align, stop } = useAlign();
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.isComposing || document.querySelector('dialog[open]') !== null) return;
      if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        void align();
      }
      if (event.key === 'Escape') stop();
    };
    document.addEventListener('keydown', onKeyDown);
    return () => document.removeEventListener('keydown', onKeyDown);
  });
}

/** The edit comes into view when a run starts: on a narrow screen it is below the inputs. */
function useScrollToRun(panel: React.RefObject<HTMLElement | null>, onRun: () => void) {
  const request = useApp((app) => (app.run.status === 'running' ? app.run.request : undefined));
  const show = useEffectEvent(onRun);
  useEffect(() => {
    if (request === undefined) return;
    show();
    const { top } = panel.current?.getBoundingClientRect() ?? { top: 0 };
    if (top > window.innerHeight * 0.6 || top < 0) panel.current?.scrollIntoView({ behavior: 'smooth' });
  }, [request, panel]);
}

/** Tells a screen reader the turns of a load and a run, not their bytes and text. Errors announce themselves. */
function Announcer() {
  const runMessage = useApp((app) => announcement(app.run));
  const modelStatus = useApp((app) => app.model.status);
  const host = useCurrentHost();
  const modelMessage =
    modelStatus === 'loading'
      ? host === undefined
        ? strings.model.announceLoading
        : strings.server.asking
      : modelStatus === 'ready'
        ? host === undefined
          ? strings.model.announceReady
          : strings.server.sent(host)
        : '';
  return (
    <>
      <p className={controls.visuallyHidden} role="status">
        {modelMessage}
      </p>
      <p className={controls.visuallyHidden} role="status" data-testid="announcer">
        {runMessage}
      </p>
    </>
  );
}

function announcement(run: Run): string {
  switch (run.status) {
    case 'idle':
      return '';
    case 'running':
      return run.pace === undefined ? strings.edit.announceReading : strings.edit.announceWriting;
    case 'done':
      return `${strings.edit.announceEnd[run.finishReason]} ${strings.edit.stats.tokens(run.usage.editTokens)}.`;
    case 'failed':
      return '';
    default:
      return run satisfies never;
  }
}
