import { type ComponentType, useEffect, useState } from 'react';

import type { AlignErrorData } from '../../align/errors.ts';
import { strings } from '../../strings.ts';
import controls from '../../styles/controls.module.css';
import { ErrorBox } from '../ErrorBox/ErrorBox.tsx';

const PART_MISSING: AlignErrorData = {
  code: 'offline',
  message: strings.error.partMissing,
  remedy: strings.error.partMissingRemedy,
  details: {},
};

/**
 * A part of the page whose script comes when it is shown. Where that fails, as without a network before all is kept offline, the
 * rest of the page stays, and it can be tried again: React's own `lazy` remembers a failure and takes the page down.
 */
export function late<Props extends object>(load: () => Promise<ComponentType<Props>>): ComponentType<Props> {
  let loaded: ComponentType<Props> | undefined;
  return function Late(props: Props) {
    const [attempt, setAttempt] = useState(0);
    const [outcome, setOutcome] = useState<'loading' | 'loaded' | 'failed'>('loading');
    useEffect(() => {
      if (loaded !== undefined) return;
      let isGone = false;
      const settle = (next: typeof outcome) => {
        if (!isGone) setOutcome(next);
      };
      load().then(
        (part) => {
          loaded = part;
          settle('loaded');
        },
        () => settle('failed'),
      );
      return () => {
        isGone = true;
      };
    }, [attempt]);

    const Part = loaded;
    if (Part !== undefined) return <Part {...props} />;
    if (outcome !== 'failed') return null;
    const retry = () => {
      setOutcome('loading');
      setAttempt(attempt + 1);
    };
    return (
      <ErrorBox error={PART_MISSING}>
        <button type="button" className={controls.button} onClick={retry}>
          {strings.error.retry}
        </button>
      </ErrorBox>
    );
  };
}
