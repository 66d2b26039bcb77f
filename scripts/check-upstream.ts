/**
 * Checks a real OpenAI-compatible server as an upstream of `metaaligner serve`: edits by texts and by tokens, as our own engine
 * writes them from the same weights; a request that asks for more tokens than have room; a client that leaves.
 *
 * Usage: npx tsx scripts/check-upstream.ts --upstream http://127.0.0.1:8000 --checkpoint DIR_OR_GGUF
 *   [--converted DIR_OR_GGUF] [--no-tokens] [--threads N]
 *
 * `--checkpoint` is what the server runs; `--converted` the same weights for our own engine (by default they are not compared):
 * converted, in float32 as the server should be, or a GGUF for llama.cpp; `--no-tokens` for servers without `return_token_ids`; `--threads` is of our engine. docs/deploy.md has the servers' command lines.
 */
import { parseArgs } from 'node:util';
import { startServe, type ServeProcess } from './bench-server/serve-process.ts';
import { streamEdit } from './bench-server/streaming-client.ts';

const { values } = parseArgs({
  options: {
    upstream: { type: 'string' },
    checkpoint: { type: 'string' },
    converted: { type: 'string' },
    'no-tokens': { type: 'boolean', default: false },
    threads: { type: 'string' },
  },
});
const { upstream, checkpoint, converted } = values;
if (upstream === undefined || checkpoint === undefined) {
  console.error(
    'Usage: check-upstream.ts --upstream URL --checkpoint DIR_OR_GGUF [--converted DIR_OR_GGUF] [--no-tokens]',
  );
  process.exit(2);
}

const QUESTIONS = ['How do I cook rice?', 'Why is the sky blue?', 'How do I learn to swim?', 'Is tea good for me?'];
const requests = QUESTIONS.flatMap((question) =>
  [['harmlessness'], ['helpfulness', 'humour']].map((objectives) => ({
    objectives,
    context: `Human: ${question}\n\nAssistant:`,
    answer: 'You idiot. Read a book about it, slowly and more than once.',
    maxNewTokens: 48,
  })),
);
const ours = ['--deadline', '1200', ...(values.threads === undefined ? [] : ['--threads', values.threads])];
const behind = ['--engine', 'openai', '--upstream', upstream, '--family', 'hh-rlhf'];
const servers: Record<string, ServeProcess> = { texts: await startServe(behind) };
if (!values['no-tokens']) servers.tokens = await startServe([...behind, '--model', checkpoint]);
if (converted?.endsWith('.gguf')) {
  const llamaCpp = ['--engine', 'llama-cpp', '--model', converted, '--family', 'hh-rlhf', '--context-length', '1024'];
  servers['our engine'] = await startServe([...llamaCpp, ...ours]);
} else if (converted !== undefined)
  servers['our engine'] = await startServe(['--model', converted, '--variant', 'fp32', ...ours]);

let failures = 0;
const report = (isSo: boolean, what: string) => {
  console.log(`${isSo ? 'ok    ' : 'FAILED'} ${what}`);
  if (!isSo) failures += 1;
};

const edits: Record<string, string[]> = {};
for (const [name, { url }] of Object.entries(servers)) {
  edits[name] = (await Promise.all(requests.map((request) => streamEdit(url, request)))).map(({ edit }) => edit);
  report(
    edits[name].every((edit) => edit !== ''),
    `${name}: ${requests.length} streamed edits at a time`,
  );
}
const [first = '', ...others] = Object.keys(servers);
for (const other of others) {
  const same = edits[other]!.filter((edit, i) => edit === edits[first]![i]).length;
  edits[other]!.forEach(
    (edit, i) =>
      edit !== edits[first]![i] && console.log('       ', JSON.stringify(edits[first]![i]), JSON.stringify(edit)),
  );
  report(same === requests.length, `${first} and ${other} write the same: ${same} of ${requests.length}`);
}
for (const [name, { url }] of Object.entries(servers)) {
  const long = { ...requests[0], answer: 'word '.repeat(600), maxNewTokens: 4000 };
  const edit = await streamEdit(url, long).catch((error: unknown) => error);
  report(
    !(edit instanceof Error),
    `${name}: more tokens than have room are cut to what has (${String(edit instanceof Error ? edit : 'done')})`,
  );
  const leave = new AbortController();
  const response = await fetch(`${url}v1/align`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...requests[0], maxNewTokens: 1000, temperature: 5, seed: 1 }),
    signal: leave.signal,
  });
  await response.body!.getReader().read();
  leave.abort();
  const startMs = performance.now();
  while (/^metaaligner_running [1-9]/m.test(await (await fetch(`${url}metrics`)).text())) {
    if (performance.now() - startMs > 5000) break;
  }
  report(performance.now() - startMs < 5000, `${name}: a client that leaves ends its run`);
}
await Promise.all(Object.values(servers).map((server) => server.stop()));
process.exitCode = failures === 0 ? 0 : 1;
