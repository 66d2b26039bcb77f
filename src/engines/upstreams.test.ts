import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AlignEvent } from '../align/edit.ts';
import { AlignError } from '../align/errors.ts';
import { findObjective } from '../align/objectives.ts';
import { buildPrompt } from '../align/prompt.ts';
import { type AlignRequest, GREEDY } from '../align/request.ts';
import {
  type FakeUpstream,
  MODEL_LIST,
  sendJson,
  sendPieces,
  sendText,
  startFakeUpstream,
} from './fake-upstream.fixture.ts';
import { OpenAiAligner } from './openai-aligner.ts';
import { type Completion, type CompletionEnd, Upstreams, type UpstreamsOptions, upstreamUrl } from './upstreams.ts';

const never = new AbortController().signal;
const COMPLETION: Completion = { prompt: 'Edit: ', maxNewTokens: 20, sampling: GREEDY, withTokenIds: false };

let first: FakeUpstream;
let second: FakeUpstream;
let nowMs: number;
let waits: number[];
beforeEach(async () => {
  [first, second] = await Promise.all([startFakeUpstream(), startFakeUpstream()]);
  nowMs = 0;
  waits = [];
});
afterEach(() => Promise.all([first.close(), second.close()]));

function open(options: Partial<UpstreamsOptions> = {}): Upstreams {
  return new Upstreams({
    urls: [first.url],
    apiKey: undefined,
    model: 'aligner',
    stallMs: 10_000,
    now: () => nowMs,
    wait: async (milliseconds) => void waits.push(milliseconds),
    ...options,
  });
}
const both = () => ({ urls: [first.url, second.url] });

async function complete(
  upstreams: Upstreams,
  change: Partial<Completion> = {},
  signal = never,
): Promise<{ text: string; end: CompletionEnd }> {
  const chunks = upstreams.complete({ ...COMPLETION, ...change }, signal);
  let text = '';
  for (;;) {
    const chunk = await chunks.next();
    if (chunk.done === true) return { text, end: chunk.value };
    text += chunk.value.text;
  }
}

describe('one upstream', () => {
  it('is asked in OpenAI’s words, and in others only where they say something', async () => {
    const { text, end } = await complete(open({ apiKey: 'secret' }));
    expect({ text, end }).toEqual({
      text: ' Rinse it.',
      end: { finishReason: 'stop', usage: { promptTokens: 7, completionTokens: 2 } },
    });
    const sampling = { temperature: 0.5, topK: 20, topP: 0.9, repetitionPenalty: 1.1, seed: 3 };
    await complete(open(), { sampling, withTokenIds: true, prompt: [1, 2] });
    const common = { model: 'aligner', max_tokens: 20, stream: true, stream_options: { include_usage: true } };
    expect(first.calls.map(({ body }) => body)).toEqual([
      { ...common, prompt: 'Edit: ', temperature: 0, seed: 0 },
      {
        ...common,
        prompt: [1, 2],
        ...{ temperature: 0.5, top_k: 20, top_p: 0.9, repetition_penalty: 1.1, seed: 3, return_token_ids: true },
      },
    ]);
    expect(first.calls.map(({ authorization }) => authorization)).toEqual(['Bearer secret', undefined]);
  });

  it('that is a llama-server is asked in its own words, since its defaults would draw otherwise', async () => {
    const meta = { n_ctx: 512, n_ctx_train: 4096 };
    first.list = (response) =>
      sendJson(response, 200, { data: [{ id: '/models/aligner.gguf', owned_by: 'llamacpp', meta }] });
    const upstreams = open({ model: undefined });
    expect(await upstreams.discover(never)).toEqual({ contextLength: 512 });
    const sampling = { temperature: 0.5, topK: 0, topP: 1, repetitionPenalty: 1.1, seed: 3 };
    await complete(upstreams);
    await complete(upstreams, { sampling });
    const samplers = ['penalties', 'temperature', 'top_k', 'top_p'];
    const drawn = { temperature: 0.5, seed: 3, top_k: 0, top_p: 1, min_p: 0, samplers };
    expect(first.calls.map(({ body }) => body)).toMatchObject([
      { model: '/models/aligner.gguf', temperature: 0, seed: 0 },
      { ...drawn, repeat_penalty: 1.1, repeat_last_n: -1 },
    ]);
    expect(first.calls[1]?.body).not.toHaveProperty('repetition_penalty');
    expect(first.calls[0]?.body).not.toHaveProperty('top_k');
  });

  it('that is llama-cpp-python’s is told that nothing is to be penalized, which it does otherwise', async () => {
    const listed = { id: '/models/aligner.gguf', object: 'model', owned_by: 'me', permissions: [] };
    first.list = (response) => sendJson(response, 200, { object: 'list', data: [listed] });
    const upstreams = open({ model: undefined });
    expect(await upstreams.discover(never)).toEqual({ contextLength: undefined });
    await complete(upstreams);
    await complete(upstreams, {
      sampling: { temperature: 0.5, topK: 0, topP: 0.9, repetitionPenalty: 1.2, seed: 3 },
    });
    expect(first.calls.map(({ body }) => body)).toMatchObject([
      { temperature: 0, repeat_penalty: 1 },
      { temperature: 0.5, seed: 3, repeat_penalty: 1.2, top_k: 0, top_p: 0.9, min_p: 0 },
    ]);
  });

  it('hears within its stream that the reader has left', async () => {
    first.answer = (response) => sendPieces(response, ['a']);
    const stop = new AbortController();
    const reason = new Error('left');
    const chunks = open().complete(COMPLETION, stop.signal);
    await chunks.next();
    stop.abort(reason);
    await expect(chunks.next()).rejects.toBe(reason);
    await first.calls[0]!.ended;
    const stopsReading = open().complete(COMPLETION, never);
    await stopsReading.next();
    await stopsReading.return({ finishReason: 'stop', usage: undefined });
    await first.calls[1]!.ended;
    expect(first.calls).toHaveLength(2);
  });

  it('that dies within its answer is not asked again: what was written stays written', async () => {
    let die = () => {};
    first.answer = (response) => {
      sendPieces(response, ['half']);
      die = () => response.destroy();
    };
    const chunks = open().complete(COMPLETION, never);
    expect((await chunks.next()).value).toMatchObject({ text: 'half' });
    die();
    await expect(chunks.next()).rejects.toMatchObject({
      code: 'server-failed',
      message: expect.stringContaining('broke off') as string,
    });
    first.answer = (response) => {
      sendPieces(response, ['half']);
      response.end();
    };
    await expect(complete(open())).rejects.toThrow('ended its answer after 1 pieces, unfinished');
    first.answer = (response) => {
      sendPieces(response, ['half']);
      response.end('data: {"error":{"message":"CUDA out of memory"}}\n\n');
    };
    await expect(complete(open())).rejects.toThrow('CUDA out of memory');
    expect(first.calls).toHaveLength(3);
    expect(waits).toEqual([]);
  });

  it('that sends nothing for too long is given up, before its first piece and after', async () => {
    first.answer = (response) => sendPieces(response, ['half']);
    await expect(complete(open({ stallMs: 50 }))).rejects.toThrow('sent nothing for 0.05 s');
    await first.calls[0]!.ended;
    first.answer = () => {};
    await expect(complete(open({ stallMs: 50 }))).rejects.toThrow('sent nothing for 0.05 s');
    expect(first.calls).toHaveLength(1 + 4);
  });

  it('that is busy is asked again after the time that it says, or a growing one', async () => {
    const busy = [{ 'retry-after': '2' }, {}, { 'retry-after': '3600' }];
    first.answer = (response) => {
      const headers = busy.shift();
      if (headers === undefined) sendText(response, ['done']);
      else sendJson(response, 429, { error: { message: 'queue is full' } }, headers);
    };
    const upstreams = open();
    expect((await complete(upstreams)).text).toBe('done');
    expect(waits).toEqual([2000, 500, 5000]);
    expect(upstreams.states).toMatchObject([{ isOut: false }]);
  });

  it('that stays busy is reported after four attempts', async () => {
    first.answer = (response) => sendJson(response, 503, { message: 'still loading' });
    await expect(complete(open())).rejects.toMatchObject({
      code: 'server-busy',
      message: expect.stringContaining('503: still loading') as string,
    });
    expect(first.calls).toHaveLength(4);
  });

  it.each([
    [400, { error: { message: 'temperature must be positive' } }, 'invalid-request', 'temperature must be positive'],
    [400, { message: 'This model’s maximum context length is 2048 tokens' }, 'prompt-too-long', '2048'],
    [404, { detail: 'Not Found' }, 'unknown-name', '404'],
    [401, { error: { message: 'Incorrect API key: sk-12345' } }, 'key-refused', 'refused the key (401)'],
  ])('that refuses with %d %j is not asked again', async (status, body, code, message) => {
    first.answer = (response) => sendJson(response, status, body);
    const error = await complete(open()).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code, message: expect.stringContaining(message) as string });
    expect((error as AlignError).message).not.toContain('sk-12345');
    expect(first.calls).toHaveLength(1);
  });

  it.each([
    ['no JSON', 'data: {"choices\n\n', 'sent what is no JSON'],
    ['an end that is none', 'data: {"choices":[{"text":"","finish_reason":"tool_calls"}]}\n\n', 'tool_calls'],
    ['nothing', '', 'after 0 pieces'],
  ])('that streams %s fails with what it sent', async (_name, events, message) => {
    first.answer = (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).end(events);
    };
    await expect(complete(open())).rejects.toThrow(message);
  });

  it('does not send the key or the text where it is redirected', async () => {
    first.answer = (response) => void response.writeHead(307, { location: `${second.url}/completions` }).end();
    await expect(complete(open({ apiKey: 'secret' }))).rejects.toMatchObject({ code: 'server-unreachable' });
    expect(second.calls).toEqual([]);
  });

  it('that answers with a page in place of a stream is shown', async () => {
    first.answer = (response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>proxy</h1>');
    await expect(complete(open())).rejects.toThrow('answered with text/html in place of an event stream: <h1>proxy');
  });
});

describe('several upstreams', () => {
  it('share the load: each completion goes to the one with the fewest under way', async () => {
    for (const upstream of [first, second]) upstream.answer = (response) => sendPieces(response, ['a']);
    const upstreams = open(both());
    const chunks = Array.from({ length: 6 }, () => upstreams.complete(COMPLETION, never));
    for (const each of chunks) await each.next();
    expect([first.calls.length, second.calls.length]).toEqual([3, 3]);
    const end = { finishReason: 'stop', usage: undefined } as const;
    await Promise.all([chunks[0]!.return(end), chunks[2]!.return(end)]);
    await upstreams.complete(COMPLETION, never).next();
    expect([first.calls.length, second.calls.length]).toEqual([4, 3]);
    await Promise.all(chunks.map((each) => each.return(end)));
  });

  it('stand in for one that fails before it wrote, which is left out', async () => {
    first.answer = (response) => void response.destroy();
    const upstreams = open(both());
    for (let i = 0; i < 4; i++) expect((await complete(upstreams)).text).toBe(' Rinse it.');
    expect([first.calls.length, second.calls.length]).toEqual([1, 4]);
    expect(upstreams.states.map(({ isOut }) => isOut)).toEqual([true, false]);
    expect(waits).toEqual([]);
  });

  it('take one back once it lists the model again, after a time that doubles with its failures', async () => {
    first.answer = (response) => void response.destroy();
    const upstreams = open(both());
    const outAfter = async (milliseconds: number) => {
      nowMs += milliseconds;
      await upstreams.probe(never);
      return upstreams.states[0]!.isOut;
    };
    await complete(upstreams);
    expect(await outAfter(999)).toBe(true);
    expect(await outAfter(1)).toBe(false);
    // It answers, and fails again.
    await Promise.all([complete(upstreams), complete(upstreams)]);
    expect(await outAfter(1_999)).toBe(true);
    first.list = (response) => sendJson(response, 500, {});
    expect(await outAfter(1)).toBe(true);
    first.list = (response) => sendJson(response, 200, MODEL_LIST);
    expect(await outAfter(3_999)).toBe(true);
    expect(await outAfter(1)).toBe(false);
    first.answer = (response) => sendText(response, ['well']);
    await Promise.all([complete(upstreams), complete(upstreams)]);
    first.answer = (response) => void response.destroy();
    await Promise.all([complete(upstreams), complete(upstreams)]);
    expect(await outAfter(1_000)).toBe(false);
  });

  it('stay when one request is what they cannot answer, and not when they answer none', async () => {
    for (const upstream of [first, second]) {
      upstream.answer = (response, { body }) => {
        if (body.prompt === 'poison') sendJson(response, 500, { error: 'CUDA error' });
        else sendText(response, ['well']);
      };
    }
    const upstreams = open(both());
    const poison = () => complete(upstreams, { prompt: 'poison' });
    for (let i = 0; i < 4; i++) {
      await expect(poison()).rejects.toThrow('500: CUDA error');
      await Promise.all([complete(upstreams), complete(upstreams)]);
    }
    expect(first.calls.length + second.calls.length).toBe(4 * (2 + 2));
    expect(upstreams.states.map(({ isOut }) => isOut)).toEqual([false, false]);
    for (let i = 0; i < 3; i++) await poison().catch(() => {});
    expect(upstreams.states.map(({ isOut }) => isOut)).toEqual([true, true]);
  });

  it('are tried even when all are left out', async () => {
    for (const upstream of [first, second]) upstream.answer = (response) => void response.destroy();
    const upstreams = open(both());
    await expect(complete(upstreams)).rejects.toMatchObject({ code: 'server-unreachable' });
    expect(first.calls.length + second.calls.length).toBe(4);
    second.answer = first.answer = (response) => sendText(response, ['well']);
    expect((await complete(upstreams)).text).toBe('well');
    expect(upstreams.states.some(({ isOut }) => !isOut)).toBe(true);
  });
});

describe('discovery', () => {
  it('takes the one model there is, and the shortest context', async () => {
    second.list = (response) => sendJson(response, 200, { data: [{ id: 'aligner', max_model_len: 1024 }] });
    const upstreams = open({ ...both(), model: undefined });
    expect(await upstreams.discover(never)).toEqual({ contextLength: 1024 });
    expect(upstreams.model).toBe('aligner');
  });

  it('says which models there are where the wanted one is not, or none is named', async () => {
    first.list = (response) => sendJson(response, 200, { data: [{ id: 'a' }, { id: 'b' }] });
    await expect(open().discover(never)).rejects.toThrow(/has no model “aligner”; it has a, b/);
    await expect(open({ model: undefined }).discover(never)).rejects.toThrow(/several models.*--upstream-model/);
  });

  it('leaves out those that do not answer, and fails when none does', async () => {
    await second.close();
    const upstreams = open(both());
    await upstreams.discover(never);
    expect(upstreams.states.map(({ isOut }) => isOut)).toEqual([false, true]);
    await expect(open({ urls: [second.url] }).discover(never)).rejects.toMatchObject({ code: 'server-unreachable' });
    second = await startFakeUpstream();
  });

  it.each([
    ['http://gpu:8000', 'http://gpu:8000/v1'],
    ['https://host/vllm/v1/', 'https://host/vllm/v1'],
    ['file:///etc/passwd', undefined],
    ['gpu:8000', undefined],
    ['http://user:key@gpu:8000', undefined],
    ['http://gpu:8000/v1?key=x', undefined],
  ])('reads the address %s as %s', (text, expected) => {
    if (expected === undefined) expect(() => upstreamUrl(text)).toThrow(AlignError);
    else expect(upstreamUrl(text)).toBe(expected);
  });
});

describe('an aligner behind them', () => {
  const REQUEST: AlignRequest = {
    objectives: [findObjective('harmlessness', 'hh-rlhf')],
    context: 'Human: Rice?\n\nAssistant:',
    answer: 'Rinse it.',
    template: 'hh-rlhf',
    promptStyle: 'bare',
    maxNewTokens: 1024,
    sampling: GREEDY,
  };
  const align = async (signal = never, aligner = behind()) => {
    const events: AlignEvent[] = [];
    for await (const event of aligner.align(REQUEST, signal)) events.push(event);
    return events;
  };
  const behind = () => new OpenAiAligner(open(), { maxConcurrency: 8, contextLength: 2048 });

  it('exchanges texts: the template’s last space is not written twice', async () => {
    const events = await align();
    expect(first.calls[0]!.body.prompt).toBe(buildPrompt(REQUEST));
    expect(events).toMatchObject([
      { type: 'edit-start', promptTokens: undefined, maxNewTokens: 1024 },
      { type: 'edit-delta', text: 'Rinse', editTokens: 1 },
      { type: 'edit-delta', text: ' it.', editTokens: 2 },
      { type: 'edit-end', edit: 'Rinse it.', finishReason: 'stop', usage: { promptTokens: 7, editTokens: 2 } },
    ]);
  });

  it.each([
    // vLLM 0.20.2's words for more than the context, and for more than the prompt leaves of it.
    'max_tokens=5000 cannot be greater than max_model_len=max_total_tokens=2048. Please request fewer output tokens.',
    "This model's maximum context length is 2048 tokens. However, you requested 1500 output tokens and your prompt contains " +
      'at least 549 input tokens, for a total of at least 2049 tokens.',
  ])('asks for what has room where more is refused: %s', async (refusal) => {
    const refusals = [refusal];
    first.answer = (response, { body }) => {
      if ((body.max_tokens as number) <= 2041) sendText(response, ['a'], 'length');
      else sendJson(response, 400, { error: { message: refusals.shift() } });
    };
    const aligner = behind();
    const events: AlignEvent[] = [];
    for await (const event of aligner.align({ ...REQUEST, maxNewTokens: 5000 }, never)) events.push(event);
    expect(first.calls.map(({ body }) => body.max_tokens)).toEqual([5000, 1, 2041]);
    expect(events[0]).toMatchObject({ maxNewTokens: 2041, requestedNewTokens: 5000 });
  });

  it('says that a prompt is too long where not one token has room', async () => {
    first.answer = (response) => sendJson(response, 400, { error: { message: 'maximum context length is 2048' } });
    await expect(align()).rejects.toMatchObject({ code: 'prompt-too-long' });
    expect(first.calls).toHaveLength(2);
  });

  it('ends in what there was when it is cancelled, and fails when it is disposed of', async () => {
    first.answer = (response) => sendPieces(response, ['half']);
    const stop = new AbortController();
    const aligner = behind();
    const events: AlignEvent[] = [];
    for await (const event of aligner.align(REQUEST, stop.signal)) {
      events.push(event);
      if (event.type === 'edit-delta') stop.abort();
    }
    expect(events.at(-1)).toMatchObject({ type: 'edit-end', edit: 'half', finishReason: 'cancelled' });
    const running = aligner.align(REQUEST, never);
    await running.next();
    await running.next();
    await aligner.dispose();
    await expect(running.next()).rejects.toMatchObject({ code: 'engine-failed' });
    await expect(align(never, aligner)).rejects.toMatchObject({ code: 'engine-failed' });
  });
});
