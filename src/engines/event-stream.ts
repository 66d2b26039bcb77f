import { AlignError } from '../align/errors.ts';
import { nextTask } from './next-task.ts';

/** One server-sent event. */
export interface ServerEvent {
  /** `message` where the stream names none. */
  type: string;
  data: string;
}

/** An event is a few hundred bytes; a server that sends no line break must not fill the memory. */
const MAX_EVENT_CHARACTERS = 8 << 20;

/**
 * Reads a body of server-sent events.
 *
 * @param name  of the sender, for errors
 * @throws AlignError `server-failed` for an event that is too large; what reading the body threw
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */
export async function* readEvents(
  body: ReadableStream<Uint8Array>,
  name: string,
): AsyncGenerator<ServerEvent, void, void> {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let rest = '';
  let type = '';
  let data: string[] = [];
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return; // An event without its blank line is not whole.
      rest += decoder.decode(value, { stream: true });
      let isFirst = true;
      for (;;) {
        // A carriage return at the end may be half of a line break.
        const end = /\r\n|\n|\r(?!$)/.exec(rest);
        if (end === null) break;
        const line = rest.slice(0, end.index);
        rest = rest.slice(end.index + end[0].length);
        if (line !== '') {
          const [, field, text] = /^([^:]*):? ?(.*)$/s.exec(line) as unknown as [string, string, string];
          if (field === 'data') data.push(text);
          else if (field === 'event') type = text;
          continue;
        }
        if (data.length > 0) {
          // Events that came together go out one by one: whoever reads them can hear of a cancel in between.
          if (!isFirst) await nextTask();
          isFirst = false;
          yield { type: type === '' ? 'message' : type, data: data.join('\n') };
        }
        type = '';
        data = [];
      }
      if (rest.length + data.reduce((sum, line) => sum + line.length, 0) > MAX_EVENT_CHARACTERS) {
        throw new AlignError('server-failed', `${name} sent an event of more than ${MAX_EVENT_CHARACTERS} characters.`);
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
