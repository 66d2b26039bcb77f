import type { AlignRequest } from '../../align/request.ts';
import { useCurrentRequest } from './use-current-request.ts';

/** Whether Align would now send something else than this request. */
export function useIsStale(request: AlignRequest): boolean {
  return JSON.stringify(useCurrentRequest()) !== JSON.stringify(request);
}
