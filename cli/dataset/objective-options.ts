import { readFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { OBJECTIVES } from '../../src/align/objectives.ts';
import type { TemplateId } from '../../src/align/prompt.ts';
import {
  parseObjectives,
  type PreferenceObjective,
  type ScoreSource,
} from '../../src/datasets/preference-objectives.ts';
import { asUsage, UsageError } from '../usage-error.ts';

export interface ObjectiveOptions {
  objectives?: string;
  only?: string[];
}

export function addObjectiveOptions(command: Command, defaults: readonly PreferenceObjective[]): Command {
  const keys = defaults.map(({ key }) => key).join(', ');
  return command
    .option('--objectives <file>', `JSON list of objectives (docs/datasets.md); by default ${keys}`)
    .option('--only <list>', 'comma-separated: of the objectives, these', parseList);
}

/**
 * The objectives of the user's file, or the published ones.
 *
 * @throws UsageError for a file that is not there or says what cannot be, and for a name that is not among them
 */
export async function readObjectives(
  { objectives: path, only }: ObjectiveOptions,
  defaults: readonly PreferenceObjective[],
  template: TemplateId,
): Promise<readonly PreferenceObjective[]> {
  const all = path === undefined ? defaults : await readFrom(path, template);
  if (only === undefined) return all;
  return only.map((name) => findAmong(all, name));
}

async function readFrom(path: string, template: TemplateId): Promise<PreferenceObjective[]> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ENOENT' ? new UsageError(`The file ${path} does not exist.`) : error;
  });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new UsageError(`${path} is not JSON: ${(cause as Error).message}.`, { cause });
  }
  return asUsage(() => parseObjectives(json, path, template));
}

/** By its name, or a published one's alias. */
function findAmong(objectives: readonly PreferenceObjective[], name: string): PreferenceObjective {
  const published = OBJECTIVES.find(({ aliases }) => aliases.includes(name))?.key;
  const found = objectives.find(({ key }) => key === name) ?? objectives.find(({ key }) => key === published);
  if (found !== undefined) return found;
  throw new UsageError(`There is no objective “${name}”; there are ${objectives.map(({ key }) => key).join(', ')}.`);
}

/** What the user says on the command line of where the scores of an objective come from. */
export interface ScoreSourceOptions {
  model?: Assignment[];
  server?: Assignment[];
  columns?: Assignment[];
}

interface Assignment {
  name: string;
  value: string;
}

export function addScoreSourceOptions(command: Command): Command {
  return command
    .option('--model <name=model#index>', 'folder or hub id of a classifier, and its logit; repeatable', collect)
    .option('--server <name=url#label>', 'server that classifies, and the label that counts; repeatable', collect)
    .option('--columns <name=chosen,rejected>', 'scores that the file has; repeatable', collect);
}

/**
 * Objectives with where their scores come from: the command line goes before the file.
 *
 * @throws UsageError for an objective without a source, named twice, or whose source cannot be read
 */
export function assignScoreSources(
  objectives: readonly PreferenceObjective[],
  options: ScoreSourceOptions,
): (PreferenceObjective & { score: ScoreSource })[] {
  const given = new Map<string, ScoreSource>();
  for (const type of ['model', 'server', 'columns'] as const) {
    for (const { name, value } of options[type] ?? []) {
      const objective = findAmong(objectives, name);
      if (given.has(objective.key)) throw new UsageError(`“${objective.key}” is given two sources of scores.`);
      given.set(objective.key, parseSource(type, value, objective));
    }
  }
  return objectives.map((objective) => {
    const score = given.get(objective.key) ?? objective.score;
    if (score !== undefined) return { ...objective, score };
    throw new UsageError(`“${objective.key}” has no scores: name a --model, a --server or --columns for it.`);
  });
}

function parseSource(type: keyof ScoreSourceOptions, value: string, { key, score }: PreferenceObjective): ScoreSource {
  const [, before = value, after] = /^(.*)#([^#]*)$/.exec(value) ?? [];
  const known = score?.type === 'columns' ? undefined : score;
  const input = known?.input ?? 'pair';
  switch (type) {
    case 'model': {
      if (after !== undefined && !/^\d+$/.test(after)) {
        throw new UsageError(`--model ${key}: what follows # is “${after}”; it must be the index of a logit, from 0.`);
      }
      const index = after === undefined ? (known?.type === 'model' ? known.index : 0) : Number(after);
      return { type, reference: before, index, input };
    }
    case 'server': {
      const label = after === undefined || after === '' ? undefined : after;
      if (!/^https?:\/\/.+\/./.test(before) || !URL.canParse(before)) {
        throw new UsageError(`--server ${key}: “${before}” is no address with a path (http://127.0.0.1:8080/predict).`);
      }
      return { type, url: before, label, input };
    }
    case 'columns': {
      const [chosen, rejected, ...rest] = value.split(',');
      if (!chosen || !rejected || rest.length > 0) {
        throw new UsageError(`--columns ${key}: “${value}” must be two names, chosen’s and rejected’s.`);
      }
      return { type, chosen, rejected };
    }
    default:
      return type satisfies never;
  }
}

function collect(text: string, before: Assignment[] = []): Assignment[] {
  const [, name, value] = /^([^=]+)=(.+)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError('It must be NAME=…');
  return [...before, { name: name.trim(), value }];
}

function parseList(text: string): string[] {
  return [...new Set(text.split(',').map((name) => name.trim()))].filter((name) => name !== '');
}

/** The columns that the scores are in, where they are in the file. */
export function columnsOfSources(objectives: readonly { score: ScoreSource }[]): string[] {
  return objectives.flatMap(({ score }) => (score.type === 'columns' ? [score.chosen, score.rejected] : []));
}
