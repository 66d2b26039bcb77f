import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AlignEvent, decodeEdit } from './edit.ts';
import type { GenerateFinishReason } from './engine.ts';

/** One token per byte, the hardest case for text that must not show half a character. */
const byteTokenizer = {
  decode: (ids: readonly number[]) => new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(ids)),
};

async function* steps(list: readonly (readonly number[])[], reason: GenerateFinishReason = 'stop') {
  for (const step of list) yield step;
  return reason;
}

async function collect(generator: AsyncIterable<AlignEvent>): Promise<AlignEvent[]> {
  const events: AlignEvent[] = [];
  for await (const event of generator) events.push(event);
  return events;
}

const options = () => {
  let ms = 0;
  return { tokenizer: byteTokenizer, promptTokens: 7, signal: new AbortController().signal, now: () => (ms += 10) };
};

const endOf = (events: AlignEvent[]) => {
  const last = events.at(-1);
  if (last?.type !== 'edit-end') throw new Error(`the last event is ${last?.type}`);
  return last;
};
const deltasOf = (events: AlignEvent[]) => events.flatMap((event) => (event.type === 'edit-delta' ? [event.text] : []));

describe('decodeEdit', () => {
  it('tells what was read of the prompt, and counts no step for it', async () => {
    const read = [32, 64];
    const events = await collect(
      decodeEdit(steps([[], [], [65]]), { ...options(), readTokens: () => read.shift() ?? 0 }),
    );
    expect(events.slice(0, 2)).toEqual([
      { type: 'prompt-progress', readTokens: 32 },
      { type: 'prompt-progress', readTokens: 64 },
    ]);
    expect(endOf(events)).toMatchObject({ edit: 'A', usage: { steps: 1 } });
  });

  it('shows a character only when its last byte came', async () => {
    const bytes = [...new TextEncoder().encode('é🙂')];
    const events = await collect(decodeEdit(steps(bytes.map((byte) => [byte])), options()));
    expect(deltasOf(events)).toEqual(['é', '🙂']);
  });

  it('gives deltas that join to the edit, whatever the text and the sizes of the steps', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'grapheme' }),
        fc.array(fc.integer({ min: 1, max: 5 })),
        async (text, sizes) => {
          const bytes = [...new TextEncoder().encode(text)];
          const list: number[][] = [];
          for (let i = 0; bytes.length > 0; i++) list.push(bytes.splice(0, sizes[i % sizes.length] ?? 1));
          const events = await collect(decodeEdit(steps(list), options()));
          expect(deltasOf(events).join('')).toBe(text);
          expect(endOf(events).edit).toBe(text);
          if (!text.includes('\uFFFD')) expect(deltasOf(events).join('')).not.toContain('\uFFFD');
        },
      ),
    );
  });

  it('ends half a character as U+FFFD instead of losing it', async () => {
    const events = await collect(decodeEdit(steps([[0x41], [0xc3]], 'length'), options()));
    expect(endOf(events)).toMatchObject({ edit: 'A\uFFFD', finishReason: 'length', tokenIds: [0x41, 0xc3] });
  });

  it('reports usage and speed', async () => {
    const events = await collect(decodeEdit(steps([[65], [66, 67], [68]]), options()));
    const end = endOf(events);
    expect(end.usage).toEqual({ promptTokens: 7, editTokens: 4, steps: 3 });
    // The clock gives 10 ms per reading: start 10, steps 20, 30, 40, end 50.
    expect(end.timings).toEqual({ timeToFirstTokenMs: 10, totalMs: 40, tokensPerSecond: 100 });
  });

  it('ends an empty edit without a speed', async () => {
    const events = await collect(decodeEdit(steps([]), options()));
    expect(events).toHaveLength(1);
    expect(endOf(events)).toMatchObject({
      edit: '',
      finishReason: 'stop',
      timings: { timeToFirstTokenMs: undefined, tokensPerSecond: undefined },
    });
  });

  it('turns an abort into a cancelled edit that keeps what there was', async () => {
    const controller = new AbortController();
    async function* aborted() {
      yield [65];
      controller.abort();
      controller.signal.throwIfAborted();
      return 'stop' as const;
    }
    const events = await collect(decodeEdit(aborted(), { ...options(), signal: controller.signal }));
    expect(endOf(events)).toMatchObject({ edit: 'A', finishReason: 'cancelled' });
  });

  it('lets a failure through', async () => {
    async function* failing(): AsyncGenerator<number[], GenerateFinishReason, void> {
      yield [65];
      throw new Error('device lost');
    }
    await expect(collect(decodeEdit(failing(), options()))).rejects.toThrow('device lost');
  });
});
