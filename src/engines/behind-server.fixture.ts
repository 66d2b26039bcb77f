import { ServedModel } from '../../server/api/served-model.ts';
import { startServer } from '../../server/main.ts';
import { localAligner } from '../align/aligner.ts';
import type { Engine } from '../align/engine.ts';
import { GREEDY } from '../align/request.ts';
import type { Tokenizer } from '../align/tokenizer.ts';
import type { DecoderConfig } from './decode-loop.ts';
import { OpenAiEngine } from './openai-engine.ts';
import { Upstreams } from './upstreams.ts';

/** Our own server as it is, with an engine behind it: what is asked of the returned engine goes through HTTP and back. */
export async function createBehindServer(engine: Engine, config: DecoderConfig): Promise<Engine> {
  // Only ids are exchanged; the server still makes a text of them.
  const tokenizer: Tokenizer = {
    vocabularySize: config.vocabularySize,
    bosTokenId: 1,
    eosTokenId: 2,
    encode: (text) => Int32Array.from(text, (letter) => letter.charCodeAt(0)),
    decode: (tokenIds) => tokenIds.map((id) => ` ${id}`).join(''),
  };
  const served = new ServedModel({
    id: 'small',
    family: 'hh-rlhf',
    variant: 'fp32',
    aligner: localAligner({ tokenizer, engine, checkpointSampling: GREEDY }),
    version: '1.2.3',
    maxWaiting: 10,
    deadlineMs: 60_000,
  });
  const server = await startServer({ port: 0, pageDirectory: undefined, api: { served } });
  const upstreams = new Upstreams({
    urls: [`${server.url}v1`],
    apiKey: undefined,
    model: undefined,
    stallMs: 10_000,
  });
  const { contextLength } = await upstreams.discover(new AbortController().signal);
  if (contextLength !== config.contextLength) throw new Error(`The server told a context of ${contextLength} tokens.`);
  const behind = new OpenAiEngine(upstreams, { ...config, maxConcurrency: 4 });
  return new Proxy(behind, {
    get(target, name) {
      if (name === 'dispose') return () => target.dispose().then(() => server.close());
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
