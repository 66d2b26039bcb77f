import { useMemo } from 'react';

import type { AlignRequest } from '../../align/request.ts';
import { currentRequest } from '../../state/current-request.ts';
import { useCurrentTemplate, useDraft, useSettings } from '../../state/stores.ts';

/** What Align would send now. */
export function useCurrentRequest(): AlignRequest {
  const template = useCurrentTemplate();
  const draft = useDraft((state) => state);
  const settings = useSettings((state) => state);
  return useMemo(() => currentRequest(draft, settings, template), [draft, settings, template]);
}
