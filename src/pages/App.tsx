import { useEffect } from 'react';

import { Icon } from '../components/Icon/Icon.tsx';
import { late } from '../components/Late/Late.tsx';
import { ProgramNotice } from '../components/ProgramNotice/ProgramNotice.tsx';
import { Segmented } from '../components/Segmented/Segmented.tsx';
import { keepLanguage, language, LANGUAGES } from '../locale.ts';
import { judgeOrigin } from '../state/scoring-plan.ts';
import { type Theme, THEMES } from '../state/settings-store.ts';
import { useApp, useCurrentHost, useSettings } from '../state/stores.ts';
import { strings } from '../strings.ts';
import styles from './App.module.css';
import { Playground } from './playground/Playground.tsx';
import { SharedNotice } from './SharedNotice.tsx';
import { useIsOnline } from './use-is-online.ts';
import { type Route, useRoute } from './use-route.ts';

const THEME_ICONS = { system: 'screen', light: 'sun', dark: 'moon' } as const;

// Other views come when they are opened: the first visit waits for the playground alone.
const Batch = late(async () => (await import('./batch/Batch.tsx')).Batch);
const Data = late(async () => (await import('./data/Data.tsx')).Data);
const Evaluate = late(async () => (await import('./evaluate/Evaluate.tsx')).Evaluate);
const History = late(async () => (await import('./history/History.tsx')).History);
const Storage = late(async () => (await import('./storage/Storage.tsx')).Storage);

export function App() {
  const theme = useSettings((settings) => settings.theme);
  const change = useSettings((settings) => settings.change);
  const isUnsaved = useApp((app) => app.isUnsaved);
  const isKeptOffline = useApp((app) => app.isKeptOffline);
  const isOnline = useIsOnline();
  const route = useRoute();
  const scoring = useSettings((settings) => settings.scoring);
  const host = useCurrentHost();
  const judge = judgeOrigin(scoring);
  const sent = [
    ...(host === undefined ? [] : [{ what: strings.sent(host), why: strings.sentWhy(host) }]),
    ...(judge === undefined ? [] : [{ what: strings.scores.sentTo(judge), why: strings.scores.sentToWhy(judge) }]),
  ];
  const why = sent.length === 0 ? strings.onDeviceWhy : sent.map((part) => part.why).join(' ');

  useEffect(() => {
    if (theme === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  }, [theme]);

  return (
    <div className={styles.app}>
      <header className={styles.header}>
        <img className={styles.mark} src="favicon.svg" alt="" width="32" height="32" />
        <div className={styles.title}>
          <h1>{strings.product}</h1>
          <p>{strings.tagline}</p>
        </div>
        <nav className={styles.nav} aria-label={strings.product}>
          <a href="#" aria-current={route === '' ? 'page' : undefined}>
            {strings.storage.playground}
          </a>
          <a href="#batch" aria-current={route === 'batch' ? 'page' : undefined}>
            {strings.batch.title}
          </a>
          <a href="#data" aria-current={route === 'data' ? 'page' : undefined}>
            {strings.data.title}
          </a>
          <a href="#evaluate" aria-current={route === 'evaluate' ? 'page' : undefined}>
            {strings.evaluate.title}
          </a>
          <a href="#history" aria-current={route === 'history' ? 'page' : undefined}>
            {strings.history.title}
          </a>
          <a href="#storage" aria-current={route === 'storage' ? 'page' : undefined}>
            {strings.storage.title}
          </a>
        </nav>
        <p className={styles.device} title={why}>
          <Icon name={sent.length === 0 ? 'lock' : 'server'} />
          {sent.length === 0 ? strings.onDevice : sent.map((part) => part.what).join(' · ')}
          {!isOnline && <strong title={strings.offlineNowWhy}> · {strings.offlineNow}</strong>}
          {isKeptOffline && <span title={strings.program.offlineWhy}> · {strings.program.offline}</span>}
        </p>
        <Segmented<Theme>
          label={strings.theme.label}
          segments={THEMES.map((value) => ({
            value,
            label: strings.theme.names[value],
            icon: THEME_ICONS[value],
          }))}
          value={theme}
          onChange={(value) => change({ theme: value })}
        />
      </header>
      <ProgramNotice />
      {isUnsaved && (
        <p className={styles.unsaved} role="alert">
          {strings.unsaved}
        </p>
      )}
      <SharedNotice />
      <Page route={route} />
      <footer className={styles.footer}>
        <p>{strings.research}</p>
        <p>
          {why}{' '}
          <a href="https://arxiv.org/abs/2403.17141" target="_blank" rel="noreferrer">
            {strings.paper}
          </a>
        </p>
        <LanguageChoice />
      </footer>
    </div>
  );
}

function Page({ route }: { route: Route }) {
  switch (route) {
    case '':
      return <Playground />;
    case 'batch':
      return <Batch />;
    case 'data':
      return <Data />;
    case 'evaluate':
      return <Evaluate />;
    case 'history':
      return <History />;
    case 'storage':
      return <Storage />;
    default:
      return route satisfies never;
  }
}

/** The page opens anew in another language; everything on it is kept. */
function LanguageChoice() {
  return (
    <label className={styles.language}>
      {strings.language.label}
      <select
        value={language}
        onChange={(event) => {
          const chosen = LANGUAGES.find((one) => one === event.target.value);
          if (chosen !== undefined) keepLanguage(chosen);
          window.location.reload();
        }}
      >
        {LANGUAGES.map((one) => (
          <option key={one} value={one} lang={one}>
            {strings.language.names[one]}
          </option>
        ))}
      </select>
    </label>
  );
}
