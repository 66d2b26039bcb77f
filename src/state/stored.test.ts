import { describe, expect, it, vi } from 'vitest';

import { DEMO_ALIGNER_ID } from '../align/catalogue.ts';
import { customObjective, type Objective } from '../align/objectives.ts';
import { GREEDY } from '../align/request.ts';
import { currentModel, currentRequest } from './current-request.ts';
import {
  chosenObjectives,
  createDraftStore,
  draftTexts,
  isEdited,
  mergeDrafts,
  movedTo,
  openedTexts,
  OWN_TEXT,
} from './draft-store.ts';
import { addTurnMarks, EXAMPLE_IDS, lacksTurnMarks } from './examples.ts';
import { demoModel, FakeStorage, knownServer, servedModel } from './fake-client.fixture.ts';
import { createSettingsStore } from './settings-store.ts';
import { type StorageArea, tabStorage } from './storage.ts';

const neverFails = (error: unknown) => {
  throw error;
};

describe('settings', () => {
  it('are there again after a reload', () => {
    const area = new FakeStorage();
    createSettingsStore(area, neverFails)
      .getState()
      .change({ theme: 'dark', maxNewTokens: 77, sampling: { ...GREEDY, temperature: 0.7 } });
    const settings = createSettingsStore(area, neverFails).getState();
    expect(settings).toMatchObject({ theme: 'dark', maxNewTokens: 77, sampling: { temperature: 0.7 } });
  });

  it.each([
    'no JSON',
    'null',
    '{"state":null,"version":1}',
    '{"state":{"theme":"pink","maxNewTokens":-3,"sampling":{"topP":"1","seed":-1}},"version":0}',
  ])('fall back to the defaults, field by field, when %s is stored', (stored) => {
    const area = new FakeStorage();
    area.setItem('metaaligner-settings', stored);
    const { theme, maxNewTokens, sampling } = createSettingsStore(area, neverFails).getState();
    expect({ theme, maxNewTokens, sampling }).toEqual({ theme: 'system', maxNewTokens: 1024, sampling: GREEDY });
  });

  it('are kept when they came from elsewhere and are beyond what the fields offer, and not when no engine takes them', () => {
    const area = new FakeStorage();
    const { getState } = createSettingsStore(area, neverFails);
    getState().change({ maxNewTokens: 40_000, sampling: { ...GREEDY, temperature: 50, topP: 7 } });
    const { maxNewTokens, sampling } = createSettingsStore(area, neverFails).getState();
    expect({ maxNewTokens, sampling }).toEqual({ maxNewTokens: 40_000, sampling: { ...GREEDY, temperature: 50 } });
  });

  it('go back to greedy decoding and keep the theme', () => {
    const { getState } = createSettingsStore(new FakeStorage(), neverFails);
    getState().change({ theme: 'light', usesCheckpointSampling: true, maxNewTokens: 5, promptStyle: 'vicuna' });
    getState().resetGeneration();
    expect(getState()).toMatchObject({
      theme: 'light',
      usesCheckpointSampling: false,
      maxNewTokens: 1024,
      promptStyle: 'bare',
    });
  });

  it('say so when they could not be written', () => {
    const onWriteFailed = vi.fn();
    createSettingsStore(undefined, onWriteFailed).getState().change({ theme: 'dark' });
    expect(onWriteFailed).toHaveBeenCalled();
  });
});

/** Tabs of one browser. */
function tabs() {
  const shared = new FakeStorage();
  return { tab: () => tabStorage(new FakeStorage(), shared, mergeDrafts) };
}

/** The answer on the page after a reload. */
function answerIn(area: StorageArea): string {
  return draftTexts(createDraftStore(area, neverFails).getState(), 'hh-rlhf').answer;
}

describe('a draft', () => {
  it('begins with an example in the form of the family, and with the objectives that the family knows', () => {
    const draft = createDraftStore(new FakeStorage(), neverFails).getState();
    expect(draftTexts(draft, 'hh-rlhf').context).toMatch(/^Human: [^]*\n\nAssistant:$/);
    expect(draftTexts(draft, 'imhi').context).not.toContain('Human:');
    const keys = (template: 'hh-rlhf' | 'imhi') => chosenObjectives(draft, template).map(({ key }) => key);
    expect(keys('hh-rlhf')).toEqual(['harmlessness', 'helpfulness', 'humour']);
    expect(keys('imhi')).toEqual(['correct', 'informative', 'professional']);
  });

  it('is there again after a reload, an emptied text included', () => {
    const area = new FakeStorage();
    const before = createDraftStore(area, neverFails).getState();
    before.chooseText(OWN_TEXT);
    before.setContext('');
    before.setAnswer('Mine.');
    const { key } = before.defineObjective('Warmth', 'be kind');
    before.setObjectives(['length', key]);
    const after = createDraftStore(area, neverFails).getState();
    expect(draftTexts(after, 'hh-rlhf')).toEqual({ context: '', answer: 'Mine.' });
    expect(chosenObjectives(after, 'hh-rlhf').map(({ description }) => description)).toEqual([
      'Length: the response should be concise and avoid redundant content.',
      'Warmth: be kind',
    ]);
  });

  it('keeps what was written in one text while another is on the page', () => {
    const { getState } = createDraftStore(new FakeStorage(), neverFails);
    const answer = () => draftTexts(getState(), 'hh-rlhf').answer;
    const example = answer();
    getState().setAnswer('Changed example.');
    getState().chooseText(OWN_TEXT);
    expect(draftTexts(getState(), 'hh-rlhf')).toEqual({ context: '', answer: '' });
    getState().setAnswer('Mine.');
    getState().chooseText(EXAMPLE_IDS[0]);
    expect(answer()).toBe('Changed example.');
    expect(isEdited(getState())).toBe(true);
    getState().restoreExample();
    expect(answer()).toBe(example);
    getState().chooseText(OWN_TEXT);
    expect(answer()).toBe('Mine.');
  });

  it('shows an opened request beside the own text, with objectives that somebody else wrote', () => {
    const { getState } = createDraftStore(new FakeStorage(), neverFails);
    getState().chooseText(OWN_TEXT);
    getState().setAnswer('Mine.');
    const warmth = customObjective('Warmth', 'be kind');
    getState().openRequest({ context: 'Hi', answer: 'Theirs.', objectives: [warmth] });
    expect(draftTexts(getState(), 'hh-rlhf')).toEqual({ context: 'Hi', answer: 'Theirs.' });
    expect(chosenObjectives(getState(), 'hh-rlhf')).toEqual([warmth]);
    getState().chooseText(OWN_TEXT);
    expect(draftTexts(getState(), 'hh-rlhf').answer).toBe('Mine.');
  });

  it('keeps an opened text that was changed when the next one is opened, until it is removed', () => {
    const area = new FakeStorage();
    const { getState } = createDraftStore(area, neverFails);
    const open = (answer: string) => getState().openRequest({ context: '', answer, objectives: [] });
    open('One.');
    open('Two.');
    expect(openedTexts(getState())).toEqual(['opened']);
    getState().setAnswer('Two, changed.');
    open('Three.');
    expect(openedTexts(getState())).toEqual(['opened', 'opened-2']);
    const reloaded = createDraftStore(area, neverFails).getState();
    reloaded.chooseText('opened-2');
    expect(answerIn(area)).toBe('Two, changed.');
    reloaded.forgetText('opened-2');
    expect(openedTexts(createDraftStore(area, neverFails).getState())).toEqual(['opened']);
    expect(answerIn(area)).toBe('');
  });

  it('puts an objective that somebody else wrote beside the own one of that name', () => {
    const { getState } = createDraftStore(new FakeStorage(), neverFails);
    const own = getState().defineObjective('Warmth', 'be kind');
    const theirs = customObjective('Warmth', 'be hot');
    const open = (objectives: Objective[]) => getState().openRequest({ context: '', answer: 'A.', objectives });
    open([theirs]);
    open([theirs, own]);
    expect(chosenObjectives(getState(), 'hh-rlhf').map(({ description }) => description)).toEqual([
      'Warmth: be hot',
      'Warmth: be kind',
    ]);
    expect(getState().customObjectives.map(({ key }) => key)).toEqual(['custom:Warmth', 'custom:Warmth 2']);
  });

  it('is each tab’s own through a reload, and a new tab begins with what was written last', () => {
    const { tab } = tabs();
    const [one, other] = [tab(), tab()];
    createDraftStore(one, neverFails).getState().setAnswer('First tab.');
    createDraftStore(other, neverFails).getState().setAnswer('Second tab.');
    expect([answerIn(one), answerIn(other)]).toEqual(['First tab.', 'Second tab.']);
    expect(answerIn(tab())).toBe('Second tab.');
  });

  it('of one tab does not take back what another wrote elsewhere', () => {
    const { tab } = tabs();
    const [one, other] = [tab(), tab()].map((area) => createDraftStore(area, neverFails).getState());
    one!.chooseText(OWN_TEXT);
    one!.setAnswer('Mine.');
    one!.defineObjective('Warmth', 'be kind');
    const brief = other!.defineObjective('Brevity', 'be brief');
    other!.setAnswer('In an example.');
    other!.forgetObjective(brief.key);
    const { texts, customObjectives } = createDraftStore(tab(), neverFails).getState();
    expect(Object.values(texts).map(({ answer }) => answer)).toEqual(['Mine.', 'In an example.']);
    expect(customObjectives.map(({ label }) => label)).toEqual(['Warmth']);
  });

  it('of one tab keeps what another opened and changed, and its objective of the same name', () => {
    const { tab } = tabs();
    const [one, other] = [tab(), tab()].map((area) => createDraftStore(area, neverFails).getState());
    one!.openRequest({ context: '', answer: 'X', objectives: [] });
    one!.setAnswer('X, changed.');
    one!.defineObjective('Warmth', 'be kind');
    other!.openRequest({ context: '', answer: 'Y', objectives: [] });
    other!.defineObjective('Warmth', 'be hot');
    const { texts, customObjectives } = createDraftStore(tab(), neverFails).getState();
    expect(Object.values(texts).map(({ answer }) => answer)).toEqual(['Y', 'X, changed.']);
    expect(customObjectives.map(({ description }) => description)).toEqual(['Warmth: be kind', 'Warmth: be hot']);
  });

  it('shares later what could not be written once', () => {
    const shared = new FakeStorage();
    const area = new FakeStorage();
    const tab = tabStorage(area, shared, mergeDrafts);
    const { getState } = createDraftStore(tab, vi.fn());
    getState().chooseText(OWN_TEXT);
    const fails = vi.spyOn(shared, 'setItem').mockImplementationOnce(() => {
      throw new Error('full');
    });
    getState().setAnswer('Mine.');
    expect(fails).toHaveBeenCalled();
    getState().setObjectives([]);
    expect(answerIn(tabStorage(new FakeStorage(), shared, mergeDrafts))).toBe('Mine.');
  });

  it('takes over the objectives of an example, and keeps the chosen ones for the own text', () => {
    const { getState } = createDraftStore(new FakeStorage(), neverFails);
    getState().chooseText('long-winded');
    getState().chooseText(OWN_TEXT);
    expect(getState().objectiveKeys).toEqual(['readability', 'repeat', 'length']);
    getState().chooseText(EXAMPLE_IDS[0]);
    expect(getState().objectiveKeys).toBeUndefined();
  });

  it('keeps its texts when other fields of it are damaged', () => {
    const area = new FakeStorage();
    area.setItem(
      'metaaligner-draft',
      JSON.stringify({
        state: {
          texts: { 'rude-reply': { answer: 'Mine.', context: 3 }, own: null },
          objectiveKeys: [3, 'gone', 'length'],
          customObjectives: [{}],
        },
        version: 9,
      }),
    );
    const draft = createDraftStore(area, neverFails).getState();
    expect(draftTexts(draft, 'hh-rlhf').answer).toBe('Mine.');
    expect(chosenObjectives(draft, 'hh-rlhf').map(({ key }) => key)).toEqual(['length']);
  });

  it('redefines an objective of the same name, and forgets it from the list too', () => {
    const { getState } = createDraftStore(new FakeStorage(), neverFails);
    const { key } = getState().defineObjective('Warmth', 'be kind');
    getState().defineObjective('Warmth', 'be very kind');
    getState().setObjectives([key, key]);
    expect(chosenObjectives(getState(), 'imhi').map(({ description }) => description)).toEqual([
      'Warmth: be very kind',
    ]);
    getState().forgetObjective(key);
    expect(getState()).toMatchObject({ customObjectives: [], objectiveKeys: [] });
  });
});

describe('movedTo', () => {
  it.each([
    ['a', 2, 'bca'],
    ['c', 0, 'cab'],
    ['b', 1, 'abc'],
    ['b', 9, 'acb'],
    ['b', -1, 'bac'],
  ])('puts %s at %i', (key, position, expected) => {
    expect(movedTo(['a', 'b', 'c'], key, position).join('')).toBe(expected);
  });
});

describe('the current request', () => {
  const settings = createSettingsStore(new FakeStorage(), neverFails).getState();
  const draft = createDraftStore(new FakeStorage(), neverFails).getState();

  it('uses the descriptions of the family', () => {
    const request = currentRequest({ ...draft, objectiveKeys: ['helpfulness'] }, settings, 'ultrafeedback');
    expect(request.objectives[0]!.description).toMatch(/^Helpfulness: the response/);
    expect(request).toMatchObject({ template: 'ultrafeedback', sampling: GREEDY });
  });

  it('leaves sampling to the checkpoint on request', () => {
    const request = currentRequest(draft, { ...settings, usesCheckpointSampling: true }, 'imhi');
    expect(request.sampling).toBe('checkpoint');
  });

  it('is for the model in use, else the one chosen last, else the built-in one, never another in its place', () => {
    const other = { ...demoModel, id: 'other' };
    const builtIn = { ...demoModel, id: DEMO_ALIGNER_ID };
    const library = { status: 'ready', models: [demoModel, other, builtIn], problems: [] } as const;
    const store = { status: 'loading' } as const;
    const none = { model: { status: 'none' }, library, pickedModels: [], store, servers: [] } as const;
    expect(currentModel(none, { modelId: undefined })).toBe(builtIn);
    expect(currentModel(none, { modelId: 'other' })).toBe(other);
    expect(currentModel(none, { modelId: 'gone' })).toBeUndefined();
    const inUse = { ...none, model: { status: 'loading', model: other, progress: undefined, notes: [] } } as const;
    expect(currentModel(inUse, { modelId: 'demo' })).toBe(other);
  });

  it('is for a server’s model only where that was chosen', () => {
    const library = { status: 'ready', models: [], problems: [] } as const;
    const servers = [knownServer({ models: [servedModel] })];
    const app = {
      model: { status: 'none' },
      library,
      pickedModels: [],
      store: { status: 'loading' },
      servers,
    } as const;
    expect(currentModel(app, { modelId: undefined })).toBeUndefined();
    expect(currentModel(app, { modelId: servedModel.id })).toBe(servedModel);
  });
});

describe('the marks of turns', () => {
  it.each([
    ['Why?', 'Human: Why?\n\nAssistant:'],
    ['Human: Why?', 'Human: Why?\n\nAssistant:'],
    ['\n\nHuman: Why?\n\nAssistant: So.', 'Human: Why?\n\nAssistant: So.\n\nAssistant:'],
  ])('that %j lacks are added', (context, marked) => {
    expect(lacksTurnMarks(context, 'hh-rlhf')).toBe(true);
    expect(addTurnMarks(context)).toBe(marked);
    expect(lacksTurnMarks(marked, 'hh-rlhf')).toBe(false);
  });

  it('are not missed by other families, nor in an empty context', () => {
    expect(lacksTurnMarks('Why?', 'imhi')).toBe(false);
    expect(lacksTurnMarks('', 'hh-rlhf')).toBe(false);
  });
});
