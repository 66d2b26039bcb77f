import { ITEM_EXTENSIONS, type ItemFormat } from './item-format.ts';

/** What a build says of itself. */
export interface BuildReport {
  /** What was read. */
  source: string;
  /** `train`, `test`; for a data set that is built at once, `all`. */
  split: string;
  seed: number;
  format: ItemFormat;
  template: 'hh-rlhf' | 'ultrafeedback';
  objectives: readonly { key: string; description: string; threshold: number }[];
  /** That an item names at most; null for all. */
  maxObjectives: number | null;
  /** What was read, and what of it was used. */
  pairs: Readonly<Record<string, number>>;
  /** Items by how many objectives their prompt names. */
  itemsByObjectives: Readonly<Record<'better' | 'equal', Readonly<Record<number, number>>>>;
  /** Items or rows by path below the folder. */
  files: Readonly<Record<string, number>>;
  leftOut: readonly unknown[];
}

/**
 * A data card in the hub's form for the files of some builds in one folder.
 *
 * @param reports  at least one, of one data set
 * @see https://huggingface.co/docs/hub/datasets-cards
 */
export function dataCard(name: string, reports: readonly BuildReport[]): string {
  const [first] = reports as [BuildReport];
  const files = reports.flatMap((report) => Object.entries(report.files));
  const isDialogue = first.template === 'hh-rlhf';
  const lines = [
    '---',
    'task_categories:',
    '- text-generation',
    'language:',
    '- en',
    'tags:',
    '- preference-alignment',
    '- metaaligner',
    'configs:',
    ...configLines(files.map(([path]) => path)),
    '---',
    '',
    `# ${name}`,
    '',
    'Training data of an aligner (MetaAligner, arXiv 2403.17141): a prompt names objectives in words, ' +
      `${isDialogue ? 'a dialogue' : 'a query'} and an answer; the target is an answer that is better on each of them ` +
      '(`no_equal`), or as good (`all_equal`).',
    '',
    '| file | items |',
    '|---|---|',
    ...files.map(([path, count]) => `| ${path} | ${count.toLocaleString('en-US')} |`),
    '',
    '## Form',
    '',
    FORM_TEXTS[first.format],
    '',
    '## Objectives',
    '',
    '| objective | text in the prompt | better by more than |',
    '|---|---|---|',
    ...first.objectives.map(
      ({ key, description, threshold }) => `| ${cell(key)} | ${cell(description)} | ${threshold} |`,
    ),
    '',
    first.maxObjectives === null
      ? 'An item names all objectives on which its target is better, in random order.'
      : `An item names at most ${first.maxObjectives} of the objectives on which its target is better, drawn at random.`,
    '',
    ...reports.flatMap(countLines),
    '## Made from',
    '',
    ...reports.map(
      ({ source, split, seed, leftOut }) =>
        `- ${split}: ${cell(source)}, seed ${seed}, ${leftOut.length} rows left out (listed in the report).`,
    ),
    '',
    'Both responses of a pair come from the source; nothing was written for this data set. What of its content is ' +
      'offensive, false or private is in here too, and a score is a model’s or a person’s opinion. The licence of the ' +
      'source holds. For research; objectives can be described so that a model is aligned towards harm.',
  ];
  return `${lines.join('\n')}\n`;
}

const FORM_TEXTS: Record<ItemFormat, string> = {
  fastchat:
    'A JSON list of `{id, conversations: [{from: "human", value: prompt}, {from: "gpt", value: target}]}` (FastChat).',
  jsonl: 'One `{id, conversations: [{from: "human", value: prompt}, {from: "gpt", value: target}]}` a line (FastChat).',
  openai: 'One `{messages: [{role: "user", content: prompt}, {role: "assistant", content: target}]}` a line.',
  parquet: 'Columns `id` and `messages`, a list of `{role, content}`: the prompt (user) and the target (assistant).',
};

/** A configuration for each folder, with a split for each file: `no_equal/train.json`. */
function configLines(paths: readonly string[]): string[] {
  const items = paths.filter((path) => Object.values(ITEM_EXTENSIONS).some((ending) => path.endsWith(`.${ending}`)));
  const folders = [...new Set(items.map((path) => path.split('/')[0]!))];
  return folders.flatMap((folder) => [
    `- config_name: ${folder}`,
    '  data_files:',
    ...items
      .filter((path) => path.startsWith(`${folder}/`))
      .flatMap((path) => {
        const split = path.slice(folder.length + 1).replace(/\..*$/, '');
        return [`  - split: ${split === 'val' ? 'validation' : split}`, `    path: ${path}`];
      }),
  ]);
}

function countLines({ split, itemsByObjectives }: BuildReport): string[] {
  const { better, equal } = itemsByObjectives;
  const sizes = [...new Set([...Object.keys(better), ...Object.keys(equal)].map(Number))].sort((a, b) => a - b);
  return [
    `| objectives named (${split}) | better | equal |`,
    '|---|---|---|',
    ...sizes.map((size) => `| ${size} | ${better[size] ?? 0} | ${equal[size] ?? 0} |`),
    '',
  ];
}

/** Text from outside inside a table. */
function cell(text: string): string {
  return text.replace(/\s+/g, ' ').replaceAll('|', String.raw`\|`);
}
