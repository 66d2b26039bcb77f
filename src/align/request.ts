import type { SamplingOptions } from './engine.ts';
import type { Objective } from './objectives.ts';
import type { TemplateId } from './prompt.ts';

/** One alignment: what the person at the screen, the CLI or a client of the server asks for. */
export interface AlignRequest {
  /** At least one; order is kept. */
  objectives: readonly Objective[];
  /** Dialogue, query or question; may be empty. */
  context: string;
  /** The answer to improve; must not be blank. */
  answer: string;
  /** Which published template is filled. */
  template: TemplateId;
  /** `bare` (the published inference code) or wrapped in FastChat's Vicuna conversation, as in training. */
  promptStyle: 'bare' | 'vicuna';
  /** Capped to what fits after the prompt; default 1024. */
  maxNewTokens: number;
  sampling: SamplingOptions;
}
