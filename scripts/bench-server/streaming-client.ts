/** One streamed edit as its client saw it. */
export interface StreamedEdit {
  edit: string;
  firstTextMs: number;
  totalMs: number;
  editTokens: number;
}

interface StreamEvent {
  type: string;
  text?: string;
  edit?: string;
  usage?: { editTokens: number };
}

/**
 * Reads an edit event by event.
 *
 * @throws when an event is lost, of another kind, or in the wrong place
 */
export async function streamEdit(url: string, request: object): Promise<StreamedEdit> {
  const startMs = performance.now();
  const response = await fetch(`${url}v1/align`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(request),
  });
  if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
  const decoder = new TextDecoder();
  let rest = '';
  let text = '';
  let count = 0;
  let firstTextMs: number | undefined;
  for await (const piece of response.body!) {
    rest += decoder.decode(piece, { stream: true });
    const blocks = rest.split('\n\n');
    rest = blocks.pop()!;
    for (const block of blocks) {
      const event = JSON.parse(/^data: (.*)$/m.exec(block)![1]!) as StreamEvent;
      count += 1;
      if ((event.type === 'edit-start') !== (count === 1)) throw new Error(`Event ${count} is ${block}`);
      if (event.type === 'edit-delta') {
        firstTextMs ??= performance.now() - startMs;
        text += event.text;
      } else if (event.type === 'edit-end') {
        if (event.edit !== text) throw new Error(`The pieces make ${text.length} characters of ${event.edit?.length}.`);
        const totalMs = performance.now() - startMs;
        return { edit: text, firstTextMs: firstTextMs ?? totalMs, totalMs, editTokens: event.usage!.editTokens };
      } else if (event.type !== 'edit-start' && event.type !== 'prompt-progress')
        throw new Error(`Event ${count} is ${block}`);
    }
  }
  throw new Error(`The stream ended after ${count} events, without edit-end.`);
}

/** @param values  not sorted; at least one */
export function percentile(values: readonly number[], fraction: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))]!;
}
