import { describe, it } from 'vitest';
import { ENGINE_CONTRACT, type Subject } from './engine.contract.ts';
import { createScriptedEngine } from './scripted-engine.ts';

/** Mixes all tokens so far, so that a token lost, doubled or misplaced changes everything after it. */
const mix = (tokenIds: readonly number[]) => tokenIds.reduce((hash, id) => (hash * 31 + id + 7) % 1009, 5) % 32;

const scripted: Subject = {
  async create({ eosTokenIds = [2], contextLength = 128, prefillChunkTokens = 64 }) {
    const config = { vocabularySize: 32, contextLength, eosTokenIds };
    // A turn of the event loop per step, as a runtime takes one.
    const onStep = () => new Promise<void>((resolve) => setImmediate(resolve));
    return createScriptedEngine(mix, { config, prefillChunkTokens, onStep }).engine;
  },
};

describe('the scripted engine', () => {
  it.each(ENGINE_CONTRACT)('$name', (contractCase) => contractCase.run(scripted));
});
