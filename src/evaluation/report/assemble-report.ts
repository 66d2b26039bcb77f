import { compareWithAnnotators, referenceIn } from '../annotations.ts';
import { EMPTY_REPORT, type EvaluationReport } from './evaluation-report.ts';
import type { EvaluationPart } from './read-evaluation-file.ts';
import { withTexts } from './verdict-rows.ts';
import { winRateReportOf } from './win-rate-report.ts';

/**
 * One report of all that was read, in the order in which it was read. Verdicts are counted anew, with the texts of the outputs that
 * are among the files, and people's ratings are compared with the references that are.
 *
 * @param versions  of what puts it together
 */
export function assembleReport(
  parts: readonly EvaluationPart[],
  versions: Readonly<Record<string, string>>,
): EvaluationReport {
  const outputs = parts.flatMap((part) => (part.outputs === undefined ? [] : [part.outputs]));
  const referenceOf = referenceIn(parts.flatMap(({ references = [] }) => references));
  const counted = parts.map(({ report, verdicts, annotated }): EvaluationReport => {
    if (annotated !== undefined) {
      const { file, rows } = annotated;
      return { ...report, annotations: [{ file, report: compareWithAnnotators(rows, referenceOf) }] };
    }
    if (verdicts === undefined) return report;
    const contests = withTexts(verdicts.contests, outputs);
    return { ...report, winRates: [winRateReportOf(contests, { ...verdicts.settings, versions })] };
  });
  return {
    ...EMPTY_REPORT,
    winRates: counted.flatMap(({ winRates }) => winRates),
    ratings: counted.flatMap(({ ratings }) => ratings),
    labels: counted.flatMap(({ labels }) => labels),
    quality: counted.flatMap(({ quality }) => quality),
    annotations: counted.flatMap(({ annotations }) => annotations),
    versions: Object.assign({}, ...counted.map((one) => one.versions), versions) as Record<string, string>,
  };
}
