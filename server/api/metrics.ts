import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { AlignEvent } from '../../src/align/edit.ts';
import type { LogEntry } from './request-log.ts';
import type { WorkQueue } from './work-queue.ts';

/** How a request ended. */
export type Outcome = 'done' | 'busy' | 'deadline' | 'left' | 'refused' | 'failed';

/** A server behind this one. */
export interface UpstreamState {
  host: string;
  /** Completions under way. */
  running: number;
  isOut: boolean;
}

/** What Prometheus reads of a served model. */
export class ServerMetrics {
  readonly #registry = new Registry();
  readonly #answers: Counter<'path' | 'status'>;
  readonly #requests: Counter<'outcome'>;
  readonly #tokens: Counter<'kind'>;
  readonly #steps: Counter;
  readonly #acceptedDrafts: Counter;
  readonly #firstToken: Histogram;
  readonly #speed: Histogram;

  constructor(queue: WorkQueue, upstreamStates?: () => UpstreamState[]) {
    const registers = [this.#registry];
    this.#answers = new Counter({
      name: 'metaaligner_http_requests_total',
      help: 'Answers under /v1, those included that ran nothing; status 499: the client left before there was one.',
      labelNames: ['path', 'status'],
      registers,
    });
    this.#requests = new Counter({
      name: 'metaaligner_requests_total',
      help: 'Runs by how they ended.',
      labelNames: ['outcome'],
      registers,
    });
    this.#tokens = new Counter({
      name: 'metaaligner_tokens_total',
      help: 'Tokens of prompts and of edits.',
      labelNames: ['kind'],
      registers,
    });
    this.#steps = new Counter({
      name: 'metaaligner_steps_total',
      help: 'Steps that wrote edits; fewer than edit tokens where drafts were accepted.',
      registers,
    });
    this.#acceptedDrafts = new Counter({
      name: 'metaaligner_accepted_draft_tokens_total',
      help: 'Tokens of edits that were drafted and turned out right: those beyond one for each step.',
      registers,
    });
    this.#firstToken = new Histogram({
      name: 'metaaligner_time_to_first_token_seconds',
      help: 'From the start of a run, its wait in the queue not counted.',
      buckets: [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30],
      registers,
    });
    this.#speed = new Histogram({
      name: 'metaaligner_tokens_per_second',
      help: 'Of each finished edit.',
      buckets: [1, 3, 10, 30, 100, 300, 1000],
      registers,
    });
    const gauge = (name: string, help: string, read: () => number) =>
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(read());
        },
      });
    gauge('metaaligner_running', 'Runs under way.', () => queue.running);
    gauge('metaaligner_waiting', 'Requests that wait for a place.', () => queue.waiting);
    gauge('metaaligner_resident_memory_bytes', 'Of the process.', () => process.memoryUsage.rss());
    if (upstreamStates === undefined) return;
    const upstreamGauge = (name: string, help: string, read: (state: UpstreamState) => number) =>
      new Gauge({
        name,
        help,
        labelNames: ['upstream'],
        registers,
        collect() {
          for (const state of upstreamStates()) this.set({ upstream: state.host }, read(state));
        },
      });
    upstreamGauge('metaaligner_upstream_running', 'Completions under way.', ({ running }) => running);
    upstreamGauge('metaaligner_upstream_out', '1 while it is left out.', ({ isOut }) => Number(isOut));
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  answered({ path, status }: Pick<LogEntry, 'path' | 'status'>): void {
    this.#answers.inc({ path, status: String(status) });
  }

  ended(outcome: Outcome): void {
    this.#requests.inc({ outcome });
  }

  finished({ usage, timings }: Extract<AlignEvent, { type: 'edit-end' }>): void {
    this.#tokens.inc({ kind: 'prompt' }, usage.promptTokens);
    this.#tokens.inc({ kind: 'edit' }, usage.editTokens);
    this.#steps.inc(usage.steps);
    this.#acceptedDrafts.inc(Math.max(0, usage.editTokens - usage.steps));
    if (timings.timeToFirstTokenMs !== undefined) this.#firstToken.observe(timings.timeToFirstTokenMs / 1000);
    if (timings.tokensPerSecond !== undefined) this.#speed.observe(timings.tokensPerSecond);
  }
}
