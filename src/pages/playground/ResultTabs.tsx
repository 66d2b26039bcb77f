import { type KeyboardEvent, useRef } from 'react';

import { strings } from '../../strings.ts';
import styles from './Playground.module.css';

export const RESULT_TABS = ['edit', 'compare', 'scores'] as const;
export type ResultTab = (typeof RESULT_TABS)[number];

interface ResultTabsProps {
  chosen: ResultTab;
  onChoose: (tab: ResultTab) => void;
}

/** One edit, or several beside each other. */
export function ResultTabs({ chosen, onChoose }: ResultTabsProps) {
  const list = useRef<HTMLDivElement>(null);
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step === undefined) return;
    const at = (RESULT_TABS.indexOf(chosen) + step + RESULT_TABS.length) % RESULT_TABS.length;
    onChoose(RESULT_TABS[at]!);
    list.current?.querySelectorAll('button')[at]?.focus();
  };
  return (
    <div ref={list} className={styles.tabs} role="tablist" aria-label={strings.result.tabs} onKeyDown={onKeyDown}>
      {RESULT_TABS.map((tab) => (
        <button
          key={tab}
          type="button"
          role="tab"
          id={`tab-${tab}`}
          aria-selected={tab === chosen}
          aria-controls="result-panel"
          tabIndex={tab === chosen ? 0 : -1}
          onClick={() => onChoose(tab)}
        >
          {strings.result.names[tab]}
        </button>
      ))}
    </div>
  );
}
