/**
 * Checks a published MetaAligner checkpoint end to end: downloads it from the hub, converts it, runs the example of
 * MetaAligner's own README and holds the edit against the one that the README prints (for the 7B of HH-RLHF; for the
 * others there is none, and the edit is shown to be read).
 *
 * Usage: npm run verify:published -- [--model ID] [--variant q4] [--hub URL] [--to DIR]
 * Needs network access, disk space for the converted model, and patience: the 7B is 27 GB to download.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

interface Example {
  source: string;
  /** Whose edit it is. */
  model: string;
  objectives: string[];
  context: string;
  answer: string;
  edit: string;
}

const example = JSON.parse(readFileSync(new URL('published-example.json', import.meta.url), 'utf8')) as Example;
const { values: options } = parseArgs({
  options: {
    model: { type: 'string', default: example.model },
    variant: { type: 'string', default: 'q4' },
    hub: { type: 'string' },
    to: { type: 'string' },
  },
});

const cli = new URL('../cli/metaaligner.mjs', import.meta.url).pathname;
function metaaligner(...args: string[]): string {
  return execFileSync(process.execPath, [cli, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

const folder = options.to ?? join('.cache/models', options.model.replaceAll('/', '--'));
metaaligner(
  'pull',
  options.model,
  ...['--variant', options.variant, '--to', folder],
  ...(options.hub === undefined ? [] : ['--hub', options.hub]),
);

const texts = mkdtempSync(join(tmpdir(), 'verify-published-'));
writeFileSync(join(texts, 'context'), example.context);
writeFileSync(join(texts, 'answer'), example.answer);
const output = metaaligner(
  'align',
  ...['--model', folder, '--variant', options.variant, '--objectives', example.objectives.join(',')],
  ...['--context', join(texts, 'context'), '--answer', join(texts, 'answer'), '--json'],
);
const { edit, finishReason } = JSON.parse(output) as { edit: string; finishReason: string };

console.log(`\nModel:    ${options.model}, ${options.variant}\nFinished: ${finishReason}\nEdit:\n${edit}\n`);
if (options.model !== example.model) {
  console.log('The README prints no edit of this model: read the one above.');
} else {
  // The README was typeset: one apostrophe of its edit is curly where the answer has a straight one.
  const plain = (text: string) => text.trim().replaceAll('\u2019', "'");
  const isSame = plain(edit) === plain(example.edit);
  console.log(isSame ? 'The same as the published edit.' : `Differs from the published edit:\n${example.edit}`);
  process.exitCode = isSame ? 0 : 1;
}
