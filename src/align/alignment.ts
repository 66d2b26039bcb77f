import type { FinishReason, Timings, Usage } from './edit.ts';
import type { EngineDevice } from './engine.ts';
import type { AlignRequest } from './request.ts';
import type { Variant } from './variant.ts';

/** Which model wrote an edit, and where it ran. */
export interface ModelUsed {
  /** As the page's list of models names it. */
  id: string;
  name: string;
  /** Where its weights came from: a hub id, a file name. */
  source: string;
  /** The hub's commit; undefined where the weights came without one. */
  revision: string | undefined;
  /** Undefined where a server ran it and did not tell. */
  variant: Variant | undefined;
  device: EngineDevice;
  /** Of the server that ran it, name and port: where the texts were sent. Undefined where the device was the page's. */
  host?: string | undefined;
}

/** One alignment that has ended: what was asked of which model, and what came. Plain data. */
export interface Alignment {
  model: ModelUsed;
  request: AlignRequest;
  edit: string;
  finishReason: FinishReason;
  usage: Usage;
  timings: Timings;
}

/** Whether the model wrote all that it meant to: what it did not reach is not deleted. */
export function isWhole({ finishReason }: Pick<Alignment, 'finishReason'>): boolean {
  return finishReason === 'stop';
}
