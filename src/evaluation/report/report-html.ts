import type { EvaluationReport } from './evaluation-report.ts';
import type { Block, Cell, Drawing, Shape, Tone } from './report-blocks.ts';
import { reportDocument } from './report-document.ts';
import type { ReportWords } from './report-words.ts';

const STYLE = `
:root { color-scheme: light dark; --page: light-dark(#fffefb, #15181b); --ink: light-dark(#1d2226, #e8e5de);
  --line: light-dark(#cfcabf, #3a4147); --frame: light-dark(#767676, #8d959b); --mark: light-dark(#1f5a57, #7fc7be); }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 80rem; margin: 2rem auto; padding: 0 1rem; background: var(--page); color: var(--ink); }
h1, h2, h3 { line-height: 1.25; }
h2 { margin-top: 3rem; }
.wide { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: .5rem 0; }
th, td { padding: .25rem .75rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; font-weight: 400; }
thead th { font-weight: 600; vertical-align: bottom; }
th:first-child, .name { text-align: left; }
th:first-child { padding-left: 0; }
figure { margin: 1rem 0; max-width: 27rem; }
figure svg { width: 100%; height: auto; }
figcaption { font-size: .875rem; }
svg { font: 12px system-ui, sans-serif; fill: currentColor; vertical-align: middle; }
summary { cursor: pointer; padding: .25rem 0; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; border-left: 3px solid var(--line); margin: .25rem 0 1rem; padding-left: 1rem; font: inherit; }
.note { border: 1px solid var(--line); border-radius: .5rem; padding: .5rem 1rem; }
.label { margin: 0; font-size: .875rem; font-weight: 600; }
`;

/** One page that needs nothing else: no script, and nothing is loaded. Texts are shown as text. */
export function reportHtml(report: EvaluationReport, words: ReportWords): string {
  return `<!doctype html>
<html lang="${escaped(words.language)}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escaped(words.title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escaped(words.title)}</h1>
${reportDocument(report, words).map(blockHtml).join('\n')}
</main>
</body>
</html>
`;
}

function blockHtml(block: Block): string {
  switch (block.type) {
    case 'heading':
      return `<h${block.level}>${escaped(block.text)}</h${block.level}>`;
    case 'paragraph':
      return `<p>${escaped(block.text)}</p>`;
    case 'note':
      return `<p class="note">${escaped(block.text)}</p>`;
    case 'table': {
      const { names } = block;
      const head = block.columns.map((name, i) => `<th scope="col"${classOf(i, names)}>${escaped(name)}</th>`).join('');
      const row = (cells: readonly Cell[]) => `<tr>${cells.map((cell, i) => cellHtml(cell, i, names)).join('')}</tr>`;
      const body = block.rows.map(row).join('\n');
      return `<div class="wide" tabindex="0" role="region" aria-label="${escaped(block.caption)}"><table>
<caption>${escaped(block.caption)}</caption>
<thead><tr>${head}</tr></thead>
<tbody>${body}</tbody>
</table></div>`;
    }
    case 'figure':
      return `<figure>${drawingHtml(block.drawing)}<figcaption>${escaped(block.caption)}</figcaption></figure>`;
    case 'quote':
      return `<p class="label">${escaped(block.label)}</p><pre dir="auto">${escaped(block.text)}</pre>`;
    case 'disclosure': {
      const body = block.blocks.map(blockHtml).join('\n');
      return `<details><summary>${escaped(block.summary)}</summary>\n${body}\n</details>`;
    }
    default:
      return block satisfies never;
  }
}

function cellHtml(cell: Cell, column: number, names: number): string {
  if (typeof cell !== 'string') return `<td>${drawingHtml(cell)}</td>`;
  if (column === 0) return `<th scope="row">${escaped(cell)}</th>`;
  return `<td${classOf(column, names)}>${escaped(cell)}</td>`;
}

function classOf(column: number, names: number): string {
  return column > 0 && column < names ? ' class="name"' : '';
}

function drawingHtml({ label, width, height, shapes }: Drawing): string {
  return `<svg role="img" aria-label="${escaped(label)}" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">${shapes.map(shapeHtml).join('')}</svg>`;
}

function shapeHtml(shape: Shape): string {
  switch (shape.type) {
    case 'line': {
      const { x1, y1, x2, y2, tone, isDashed } = shape;
      const dashes = isDashed ? ' stroke-dasharray="3"' : '';
      return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="${COLOURS[tone]}" stroke-width="${WIDTHS[tone]}"${dashes}/>`;
    }
    case 'dot': {
      const title = shape.title === undefined ? '' : `<title>${escaped(shape.title)}</title>`;
      return `<circle cx="${shape.x}" cy="${shape.y}" r="4.5" fill="var(--mark)">${title}</circle>`;
    }
    case 'text':
      return `<text x="${shape.x}" y="${shape.y}" text-anchor="${shape.anchor}">${escaped(shape.text)}</text>`;
    default:
      return shape satisfies never;
  }
}

const COLOURS: Record<Tone, string> = { mark: 'var(--mark)', frame: 'var(--frame)' };
const WIDTHS: Record<Tone, number> = { mark: 2, frame: 1 };

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
