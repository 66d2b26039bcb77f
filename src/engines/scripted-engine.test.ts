import { describe, it } from 'vitest';
import { ENGINE_CONTRACT, type Subject } from './engine.contract.ts';
import { createScriptedEngine } from './scripted-engine.ts';

/** Mixes all tokens so far, so that a token lost, doubled or misplaced changes everything after it. */
const mix = (tokenIds: readonly number[]) => tokenIds.reduce((hash, id) => (hash * 31 + id + 7) % 1009, 5) % 32;

const scripted = (isAhead: boolean): Subject => ({
  async create({ eosTokenIds = [2], contextLength = 128, prefillChunkTokens = 64 }) {
    const config = { vocabularySize: 32, contextLength, eosTokenIds, mayDraft: !isAhead };
    // A turn of the event loop per step, as a runtime takes one.
    const onStep = () => new Promise<void>((resolve) => setImmediate(resolve));
    return createScriptedEngine(mix, { config, prefillChunkTokens, onStep, isAhead }).engine;
  },
});

describe.each([false, true])('the scripted engine, a step ahead: %s', (isAhead) => {
  it.each(ENGINE_CONTRACT)('$name', (contractCase) => contractCase.run(scripted(isAhead)));
});
