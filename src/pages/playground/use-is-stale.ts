import type { AlignRequest } from '../../align/request.ts';
import { currentRequest } from '../../state/current-request.ts';
import { useCurrentTemplate, useDraft, useSettings } from '../../state/stores.ts';

/** Whether Align would now send something else than this request. */
export function useIsStale(request: AlignRequest): boolean {
  const template = useCurrentTemplate();
  const draft = useDraft((state) => state);
  const settings = useSettings((state) => state);
  return JSON.stringify(currentRequest(draft, settings, template)) !== JSON.stringify(request);
}
