import type { AlignRequest } from '../../align/request.ts';
import { useCurrentRequest } from './use-current-request.ts';

/** Whether Align would now send something else than this request. */
export function useIsStale(request: AlignRequest): boolean {
  return sent(useCurrentRequest()) !== sent(request);
}

/** Without the objectives' keys, which are this browser's. */
function sent({ objectives, ...request }: AlignRequest): string {
  return JSON.stringify([request, objectives.map(({ label, description }) => [label, description])]);
}
