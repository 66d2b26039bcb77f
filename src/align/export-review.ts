import type { Alignment } from './alignment.ts';
import type { Score, ScoreReport, ScorerUsed } from './scores.ts';
import { reviewedText, type Decisions, decidedText, type ReviewPart } from './review.ts';

export const EXPORT_FORMATS = ['text', 'markdown', 'html', 'json'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

export const EXPORT_FILES: Record<ExportFormat, { extension: string; type: string }> = {
  text: { extension: 'txt', type: 'text/plain' },
  markdown: { extension: 'md', type: 'text/markdown' },
  html: { extension: 'html', type: 'text/html' },
  json: { extension: 'json', type: 'application/json' },
};

/** A reviewed alignment, ready to be written. */
export interface ReviewedAlignment {
  alignment: Alignment;
  parts: readonly ReviewPart[];
  decisions: Decisions;
  scores?: ScoreReport | undefined;
}

/** What a file says beside the texts, in the reader's language. */
export interface ExportWords {
  /** BCP 47. */
  language: string;
  title: string;
  objectives: string;
  model: string;
  decoding: string;
  /** Of `decoding`. */
  greedy: string;
  /** Of `decoding`. */
  asCheckpoint: string;
  context: string;
  reviewedText: string;
  changes: string;
  scores: string;
  original: string;
  edit: string;
  reviewed: string;
  lowerIsBetter: string;
  /** Of a judge's replies. */
  withoutNumber: string;
  /** Stands with what the models on mental health wrote. */
  mentalHealth: string;
}

/**
 * The reviewed text as a file. `text` is that text alone; `markdown` and `html` also mark what changed and say what was
 * asked of which model; `json` holds everything.
 */
export function exportReview(format: ExportFormat, reviewed: ReviewedAlignment, words: ExportWords): string {
  switch (format) {
    case 'text':
      return reviewedText(reviewed.parts, reviewed.decisions);
    case 'markdown':
      return markdown(reviewed, words);
    case 'html':
      return html(reviewed, words);
    case 'json':
      return json(reviewed);
    default:
      return format satisfies never;
  }
}

/** What has to be said with it, at the top. */
function notes({ request: { template } }: Alignment, { mentalHealth }: ExportWords): string[] {
  return template === 'imhi' ? [mentalHealth] : [];
}

/** What was asked of which model, as name and value. */
function facts({ request, model }: Alignment, words: ExportWords): [string, string][] {
  const { sampling } = request;
  const greedy = sampling !== 'checkpoint' && sampling.temperature === 0;
  return [
    [words.objectives, request.objectives.map(({ label }) => label).join(', ')],
    [
      words.model,
      `${model.name} (${model.source}${model.revision === undefined ? '' : `, ${model.revision}`})${model.variant === undefined ? '' : `, ${model.variant}`} on ${model.host ?? model.device}`,
    ],
    [words.decoding, sampling === 'checkpoint' ? words.asCheckpoint : greedy ? words.greedy : JSON.stringify(sampling)],
  ];
}

/** Each scored objective as a row: what scored it, then the number of each text. */
function scoreRows({ scores }: ScoreReport, words: ExportWords): string[][] {
  const head = [words.scores, '', words.original, words.edit, words.reviewed];
  return [
    head,
    ...scores.map(({ objective, scorer, original, edit, reviewed }) => [
      objective.label,
      scorerText(scorer, words),
      scoreText(original, words),
      scoreText(edit, words),
      reviewed === undefined ? '' : scoreText(reviewed, words),
    ]),
  ];
}

/** What scored, where it ran and what its number is. */
export function scorerText(scorer: ScorerUsed, { lowerIsBetter }: Pick<ExportWords, 'lowerIsBetter'>): string {
  if (scorer.type === 'judge') return `${scorer.name} (${scorer.host ?? 'page'}, 0–10, ×${scorer.repeats})`;
  const { name, source, label, reading, variant, device, isLowerBetter } = scorer;
  return `${name} (${source}, ${variant}, ${device}): ${label}, ${reading}${isLowerBetter ? `, ${lowerIsBetter}` : ''}`;
}

/** The number with the range of the replies that it is the mean of. */
function scoreText({ value, spread, replies, invalid, problem }: Score, words: ExportWords): string {
  const range = spread === undefined ? '' : ` (${round(spread.low)}–${round(spread.high)}, n = ${replies})`;
  const faults = `${invalid > 0 ? ` (${invalid} ${words.withoutNumber})` : ''}${problem === undefined ? '' : ` (${problem})`}`;
  return `${value === undefined ? '–' : round(value)}${range}${faults}`;
}

function round(value: number): string {
  return String(Number(value.toPrecision(4)));
}

function markdown({ alignment, parts, decisions, scores }: ReviewedAlignment, words: ExportWords): string {
  const changes = parts.map((part) => {
    if (part.type !== 'change') return part.type === 'kept' ? escapeMarkdown(part.text) : '';
    const now = decidedText(part, decisions);
    if (now === part.deleted) return escapeMarkdown(now);
    return wrapMarkdown(part.deleted, '~~') + wrapMarkdown(now, '**');
  });
  return [
    `# ${words.title}`,
    ...notes(alignment, words).map((note) => `> ${escapeMarkdown(note)}`),
    ...facts(alignment, words).map(([name, value]) => `- **${name}:** ${escapeMarkdown(value)}`),
    `## ${words.context}`,
    escapeMarkdown(alignment.request.context),
    `## ${words.reviewedText}`,
    escapeMarkdown(reviewedText(parts, decisions)),
    `## ${words.changes}`,
    changes.join(''),
    ...(scores === undefined ? [] : [`## ${words.scores}`, markdownTable(scoreRows(scores, words))]),
    '',
  ].join('\n\n');
}

function markdownTable([head, ...rows]: string[][]): string {
  const line = (cells: string[]) => `| ${cells.map((cell) => escapeMarks(cell.replace(/\s+/g, ' '))).join(' | ')} |`;
  return [line(head!), `|${' --- |'.repeat(head!.length)}`, ...rows.map(line)].join('\n');
}

/** Marks a text line by line: emphasis does not reach over a paragraph, nor to the blanks at a text's ends. */
function wrapMarkdown(text: string, mark: string): string {
  return text.replace(/[^\n]+/g, (line) => {
    const [, before, words, after] = /^(\s*)(.*?)(\s*)$/s.exec(line)!;
    return words === '' ? line : `${before}${mark}${escapeMarkdown(words!)}${mark}${after}`;
  });
}

function escapeMarkdown(text: string): string {
  return escapeMarks(text).replace(
    /^(\s*)([#+=-]|\d+[.)])/gm,
    (_, blanks: string, mark: string) => `${blanks}${mark.slice(0, -1)}\\${mark.slice(-1)}`,
  );
}

/** Those that mean something inside a line. */
function escapeMarks(text: string): string {
  return text.replace(/[\\`*_{}[\]<>~|&]/g, (mark) => `\\${mark}`);
}

function html({ alignment, parts, decisions, scores }: ReviewedAlignment, words: ExportWords): string {
  const body = parts
    .map((part) => {
      if (part.type !== 'change') return part.type === 'kept' ? escapeHtml(part.text) : '';
      const now = decidedText(part, decisions);
      if (now === part.deleted) return escapeHtml(now);
      const mark = (name: string, text: string) => (text === '' ? '' : `<${name}>${escapeHtml(text)}</${name}>`);
      return mark('del', part.deleted) + mark('ins', now);
    })
    .join('');
  const rows = facts(alignment, words).map(([name, value]) => `<dt>${name}</dt><dd>${escapeHtml(value)}</dd>`);
  return `<!doctype html>
<html lang="${words.language}">
<meta charset="utf-8">
<title>${words.title}</title>
<style>
body { max-width: 42rem; margin: 2rem auto; padding: 0 1rem; font: 1.0625rem/1.6 Georgia, serif; }
p { white-space: pre-wrap; overflow-wrap: anywhere; }
ins { background: #dcf0dd; color: #14502a; }
del { background: #fae3de; color: #8a2a1c; }
dt { font-weight: 600; }
table { border-collapse: collapse; font-size: 0.9em; }
td, th { padding: 0.2em 0.8em 0.2em 0; text-align: start; vertical-align: top; }
</style>
<h1>${words.title}</h1>
${notes(alignment, words)
  .map((note) => `<p>${escapeHtml(note)}</p>\n`)
  .join('')}<dl>${rows.join('')}</dl>
<h2>${words.context}</h2>
<p dir="auto">${escapeHtml(alignment.request.context)}</p>
<h2>${words.changes}</h2>
<p dir="auto">${body}</p>
${scores === undefined ? '' : htmlTable(scoreRows(scores, words), words.scores)}</html>
`;
}

function htmlTable([head, ...rows]: string[][], title: string): string {
  const row = (name: string, cells: string[]) =>
    `<tr>${cells.map((cell) => `<${name}>${escapeHtml(cell)}</${name}>`).join('')}</tr>`;
  return `<h2>${title}</h2>\n<table>\n${[row('th', head!), ...rows.map((cells) => row('td', cells))].join('\n')}\n</table>\n`;
}

function escapeHtml(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return text.replace(/[&<>"]/g, (mark) => entities[mark]!);
}

function json({ alignment, parts, decisions, scores }: ReviewedAlignment): string {
  const { request, edit, ...rest } = alignment;
  const changes = parts.flatMap((part) =>
    part.type === 'change'
      ? [
          {
            deleted: part.deleted,
            inserted: part.inserted,
            decision: decisions.get(part.index)?.type ?? 'accepted',
            result: decidedText(part, decisions),
          },
        ]
      : [],
  );
  return `${JSON.stringify({ request, edit, reviewedText: reviewedText(parts, decisions), changes, ...rest, scores }, null, 2)}\n`;
}
