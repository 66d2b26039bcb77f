/**
 * Prints the demo aligner's table in its model card, through our own engine:
 *
 *     npx tsx scripts/evaluate-demo-aligner.ts [--model FOLDER] [--variant q8] [--cases FILE] [--show 2]
 *
 * The cases are held-out ones that training/evaluate.py --fixture wrote; an edit counts when it is the wanted one,
 * byte for byte.
 */

import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { align, type AlignerModel } from '../src/align/align.ts';
import { customObjective, findObjective, type Objective, OBJECTIVES } from '../src/align/objectives.ts';
import type { PromptStyle, TemplateId } from '../src/align/prompt.ts';
import { DEFAULT_MAX_NEW_TOKENS, GREEDY } from '../src/align/request.ts';
import { VARIANTS } from '../src/align/variant.ts';
import { NODE_SUPPORT } from '../src/engines/choose-variant.ts';
import { loadModel } from '../src/engines/load-model.ts';
import { startNodeEngine } from '../src/engines/node-engine.ts';
import { openNodeFolder } from '../src/weights/node-folder.ts';

interface Case {
  /** Catalogue keys, and `Name: description` for an objective in somebody's own words. */
  objectives: string[];
  template: TemplateId;
  promptStyle: PromptStyle;
  context: string;
  answer: string;
  /** What the rules of training/rules.py make of the answer. */
  edit: string;
}

const ROOT = resolve(import.meta.dirname, '..');

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: join(ROOT, 'public', 'models', 'demo-aligner') },
    variant: { type: 'string' },
    cases: { type: 'string', default: join(ROOT, 'training', 'fixtures', 'held-out-cases.json') },
    show: { type: 'string', default: '0' },
  },
});

const { suites } = JSON.parse(await readFile(values.cases, 'utf8')) as { suites: Record<string, Case[]> };
const wanted = VARIANTS.find((variant) => variant === values.variant);
if (values.variant !== undefined && wanted === undefined) {
  throw new Error(`There is no variant “${values.variant}”. Known: ${VARIANTS.join(', ')}.`);
}
const { model, manifest, choice } = await loadModel(await openNodeFolder(values.model), {
  support: NODE_SUPPORT,
  wish: { device: 'cpu', variant: wanted ?? 'auto' },
  startEngine: startNodeEngine({ directory: values.model, threads: 1 }),
});
try {
  console.log(`${manifest.name}, ${choice.variant}, on the ${choice.device.toUpperCase()}\n`);
  console.log('| cases | count | exact |\n|---|---|---|');
  for (const [name, cases] of Object.entries(suites)) {
    const wrong: string[] = [];
    for (const item of cases) {
      const edit = await editOf(model, item);
      if (edit !== item.edit) {
        wrong.push(
          `  ${item.objectives.join(' + ')}\n  answer ${JSON.stringify(item.answer)}\n  wanted ${JSON.stringify(item.edit)}\n  given  ${JSON.stringify(edit)}`,
        );
      }
    }
    const percent = (100 * (cases.length - wrong.length)) / cases.length;
    console.log(`| ${name} | ${cases.length} | ${percent.toFixed(1)} % |`);
    for (const text of wrong.slice(0, Number(values.show))) console.log(text);
  }
} finally {
  await model.engine.dispose();
}

async function editOf(model: AlignerModel, item: Case): Promise<string> {
  const { context, answer, template, promptStyle } = item;
  const objectives = item.objectives.map((text) => objectiveOf(text, template));
  const request = { objectives, context, answer, template, promptStyle, sampling: GREEDY };
  for await (const event of align(
    { ...request, maxNewTokens: DEFAULT_MAX_NEW_TOKENS },
    model,
    AbortSignal.timeout(120_000),
  )) {
    if (event.type === 'edit-end') return event.edit;
  }
  throw new Error('A run ended without edit-end; this is a bug.');
}

function objectiveOf(text: string, template: TemplateId): Objective {
  if (OBJECTIVES.some(({ key }) => key === text)) return findObjective(text, template);
  const at = text.indexOf(': ');
  return customObjective(text.slice(0, at), text.slice(at + 2));
}
