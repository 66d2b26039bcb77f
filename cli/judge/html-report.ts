import type { Outcome } from '../../src/evaluation/judge-prompt.ts';
import { PAPER_SIZES } from '../../src/evaluation/paper-results.ts';
import {
  agreementText,
  type ContestRow,
  headlineOf,
  namesOf,
  percentOf,
  type RateRow,
  titleOf,
  type WinRateReport,
  type WinRateSettings,
} from './contest.ts';

/** The rows of one contest with what became of them. */
export interface Examples {
  title: string;
  rows: readonly (Pick<ContestRow, 'query' | 'judged' | 'other'> & { outcome: Outcome | undefined })[];
}

const EXAMPLES_OF_EACH = 3;
const STYLE = `
:root { color-scheme: light dark; --line: #767676; --mark: light-dark(#1a56a8, #8ab8f5); }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 90rem; margin: 2rem auto; padding: 0 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: .5rem 0; }
th, td { padding: .25rem .75rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
svg { max-width: 100%; height: auto; font: 13px system-ui, sans-serif; fill: currentColor; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; border-left: 3px solid var(--line); padding-left: 1rem; }
.note { border: 1px solid var(--line); padding: .5rem 1rem; }
`;

/** One page that needs nothing else: no script, and nothing is loaded. Texts are shown as text. */
export function htmlOf(report: WinRateReport, examples: readonly Examples[]): string {
  const { settings, rates, agreement } = report;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Win rates</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>Win rates</h1>
<p class="note">${noteOf(settings)}</p>
<h2>Advantage of the edits</h2>
${advantageTable(report)}
${methodsTable(report)}
<h2>Win rates</h2>
${forestPlot(rates, settings)}
${rateTable(rates, settings)}
<h2>Length against win rate</h2>
${lengthPlot(rates, settings)}
${agreement.map((one) => `<p>${escaped(agreementText(one))}</p>`).join('\n')}
<h2>Examples</h2>
${examples.map(examplesOf).join('\n')}
<h2>Methods</h2>
<p>${methodsOf(settings)}</p>
</main>
</body>
</html>
`;
}

function noteOf({ family }: WinRateSettings): string {
  const research = 'For research only. The judge is a model: its preferences are not people’s.';
  if (family !== 'imhi') return research;
  return `${research} The data are about mental health; nothing here is a diagnosis or advice, and who needs help should see a professional.`;
}

function methodsOf({ judge, models, family, paper, repeats, seed, versions }: WinRateSettings): string {
  const asked =
    paper === null
      ? 'Every pair was judged in both orders, at temperature 0; orders that disagree are a tie, and a tie counts as half a win.'
      : `As the paper’s judge: every pair was judged once, in random order (seed ${seed}), with the judge’s own settings; a tie counts as a ${paper === 'script' ? 'win' : 'loss'}.`;
  const repeated =
    repeats === 1
      ? ''
      : `Each question was put ${repeats} times; what most replies say counts, a tie where none leads. `;
  return escaped(
    `Judge: ${models.join(', ')} at ${judge}, with the published prompt of the ${family} family. ${asked} ${repeated}` +
      'A row is invalid where a call failed, or a reply has no verdict; invalid rows are left out of all rates. ' +
      'Intervals are of 95 %: Wilson’s for shares, elsewhere the percentile interval of 10,000 bootstrap resamples over ' +
      `rows (seed ${seed}), paired for advantages. McNemar’s and the sign test are exact and two-sided. The rate at equal length ` +
      'is a logistic regression’s with AlpacaEval 2’s length term. Published: arXiv 2403.17141v3, Tables 2 and 3, by ' +
      `gpt-4-turbo-preview, once a pair, ties as losses. Versions: ${Object.entries(versions)
        .map(([name, version]) => `${name} ${version}`)
        .join(', ')}.`,
  );
}

function advantageTable({ advantages }: WinRateReport): string {
  const header = [
    'aligner, policy, objective, judge',
    'rows',
    'advantage, points',
    'McNemar p',
    ...PAPER_SIZES.map((size) => `paper, ${size}`),
  ];
  const rows = advantages.map(({ rows: count, difference, mcnemar, published, ...names }) => [
    namesOf(names),
    String(count),
    percentOf(difference),
    mcnemar?.toPrecision(2) ?? '–',
    ...PAPER_SIZES.map((size) => published?.[size]?.toFixed(2) ?? '–'),
  ]);
  return table(
    'Edit less original, each against the reference; the paper’s three aligners beside it (its Table 2)',
    header,
    rows,
  );
}

/** The paper's Table 3 with what was measured here on top. Ties are losses in both. */
function methodsTable({ rates, published }: WinRateReport): string {
  if (published.length === 0) return '';
  const keys = Object.keys(published[0]!.rates);
  const measured = rates.filter(({ comparison }) => comparison === 'aligned-goldens');
  const lines = new Map<string, Map<string, number>>();
  for (const { aligner, policy, judge, objective, tiesAsLosses } of measured) {
    const name = `${aligner} on ${policy}, ${judge} (here)`;
    const line = lines.get(name) ?? new Map<string, number>();
    lines.set(name, line);
    if (tiesAsLosses !== null) line.set(objective, 100 * tiesAsLosses.value);
  }
  const shown = (value: number | undefined) => value?.toFixed(2) ?? '–';
  const ours = [...lines].map(([name, line]) => {
    const values = keys.map((key) => line.get(key));
    const known = values.filter((value) => value !== undefined);
    const average = known.length < keys.length ? undefined : known.reduce((sum, one) => sum + one, 0) / known.length;
    return [name, ...values.map(shown), shown(average)];
  });
  const theirs = published.map(({ method, policy, rates: figures, average }) => [
    `${method} on ${policy}`,
    ...keys.map((key) => shown(figures[key])),
    shown(average),
  ]);
  return table(
    'Win rate against the reference in percent, ties as losses, beside the paper’s methods (its Table 3, averages as printed)',
    ['method, policy', ...keys, 'average'],
    [...ours, ...theirs],
  );
}

function rateTable(rates: readonly RateRow[], { paper }: WinRateSettings): string {
  const share = (value: number | null) => (value === null ? '–' : (100 * value).toFixed(1));
  const header = ['contest', 'rows', 'invalid', 'left out', 'wins', 'ties', 'losses', 'win rate %', 'sign test p'];
  return table(
    'Judged answer against the other one',
    [...header, 'consistent %', 'chose first %', 'length ratio', 'at equal length %'],
    rates.map((rate) => [
      titleOf(rate),
      ...[rate.rows, rate.invalid, rate.leftOut, rate.wins, rate.ties, rate.losses].map(String),
      percentOf(headlineOf(rate, paper)),
      rate.signTest?.toPrecision(2) ?? '–',
      share(rate.positionConsistency),
      share(rate.firstPlaceShare),
      rate.lengthRatio?.toFixed(2) ?? '–',
      share(rate.lengthControlled),
    ]),
  );
}

function table(caption: string, header: readonly string[], rows: readonly (readonly string[])[]): string {
  const head = header.map((name) => `<th scope="col">${escaped(name)}</th>`).join('');
  const body = rows
    .map(([first = '', ...cells]) => {
      const others = cells.map((cell) => `<td>${escaped(cell)}</td>`).join('');
      return `<tr><th scope="row">${escaped(first)}</th>${others}</tr>`;
    })
    .join('\n');
  return `<div class="wide" tabindex="0" role="region" aria-label="${escaped(caption)}"><table>
<caption>${escaped(caption)}</caption>
<thead><tr>${head}</tr></thead>
<tbody>
${body}
</tbody>
</table></div>`;
}

const PLOT = { left: 620, width: 400, rowHeight: 26, top: 8 } as const;

/** A line from the interval's low to its high end, a dot at the rate; the dashed line is ½. */
function forestPlot(rates: readonly RateRow[], { paper }: WinRateSettings): string {
  const { left, width, rowHeight, top } = PLOT;
  const x = (share: number) => (left + share * width).toFixed(1);
  const bottom = top + rates.length * rowHeight;
  const rows = rates.map((rate, i) => {
    const y = top + (i + 0.5) * rowHeight;
    const estimate = headlineOf(rate, paper);
    const label = `<text x="0" y="${y + 4}">${escaped(titleOf(rate))}</text>`;
    if (estimate === null) return label;
    const { value, low, high } = estimate;
    return `${label}<line x1="${x(low)}" x2="${x(high)}" y1="${y}" y2="${y}" stroke="var(--mark)" stroke-width="2"/><circle cx="${x(value)}" cy="${y}" r="5" fill="var(--mark)"/>`;
  });
  return `<svg role="img" aria-label="Win rates with their intervals; the table below has the numbers" viewBox="0 0 ${left + width + 30} ${bottom + 24}">
<line x1="${x(0.5)}" x2="${x(0.5)}" y1="${top}" y2="${bottom}" stroke="var(--line)" stroke-dasharray="4"/>
${rows.join('\n')}
${axisLabels(bottom + 16)}
</svg>`;
}

/** A dot for each contest: the length ratio from 0 to at least 2, the win rate from 0 to 100 %. */
function lengthPlot(rates: readonly RateRow[], { paper }: WinRateSettings): string {
  const { left, width } = PLOT;
  const longest = Math.max(2, ...rates.map(({ lengthRatio }) => lengthRatio ?? 0));
  const height = 240;
  const dots = rates.flatMap((rate) => {
    const estimate = headlineOf(rate, paper);
    if (estimate === null || rate.lengthRatio === null) return [];
    const cx = (left + estimate.value * width).toFixed(1);
    const cy = (height - (rate.lengthRatio / longest) * (height - 16)).toFixed(1);
    return [`<circle cx="${cx}" cy="${cy}" r="5" fill="var(--mark)"><title>${escaped(titleOf(rate))}</title></circle>`];
  });
  const sameLength = height - (1 / longest) * (height - 16);
  return `<svg role="img" aria-label="Length ratio against win rate; the table above has the numbers" viewBox="0 0 ${left + width + 30} ${height + 24}">
<line x1="${left}" x2="${left + width}" y1="${sameLength}" y2="${sameLength}" stroke="var(--line)" stroke-dasharray="4"/>
<text x="${left - 10}" y="${sameLength + 4}" text-anchor="end">both as long</text>
<text x="${left - 10}" y="20" text-anchor="end">${longest.toFixed(1)} times as long</text>
${dots.join('\n')}
${axisLabels(height + 18)}
</svg>`;
}

function axisLabels(y: number): string {
  const { left, width } = PLOT;
  return [0, 0.5, 1]
    .map((share) => `<text x="${left + share * width}" y="${y}" text-anchor="middle">${100 * share} %</text>`)
    .join('');
}

function examplesOf({ title, rows }: Examples): string {
  const shown = (['win', 'loss'] as const).flatMap((outcome) =>
    rows.filter((row) => row.outcome === outcome).slice(0, EXAMPLES_OF_EACH),
  );
  const list = shown.map(
    ({ query, judged, other, outcome }) =>
      `<h3>A ${outcome}</h3>\n${textOf('Query', query)}\n${textOf('Judged', judged)}\n${textOf('Against', other)}`,
  );
  const body = list.length === 0 ? '<p>There is no win and no loss.</p>' : list.join('\n');
  return `<details><summary>${escaped(title)}</summary>\n${body}\n</details>`;
}

function textOf(name: string, text: string): string {
  return `<p>${name}</p><pre>${escaped(text)}</pre>`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
