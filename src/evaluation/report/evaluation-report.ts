import { OBJECTIVES } from '../../align/objectives.ts';
import type { AnnotationReport } from '../annotations.ts';
import { isImhiDataset } from '../imhi-labels.ts';
import type { LabelReport } from './label-report.ts';
import type { RatingReport } from './rating-report.ts';
import type { QualityReport } from './text-quality.ts';
import type { WinRateReport } from './win-rate-report.ts';

/** What one file or command found of labels; all by rules, or all by classifiers. */
export interface LabelFile {
  source: string;
  reports: readonly LabelReport[];
}

export interface QualityFile {
  source: string;
  reports: readonly QualityReport[];
}

export interface AnnotationFile {
  file: string;
  report: AnnotationReport;
}

/** Everything that one report shows, in this order. */
export interface EvaluationReport {
  winRates: readonly WinRateReport[];
  ratings: readonly RatingReport[];
  labels: readonly LabelFile[];
  quality: readonly QualityFile[];
  annotations: readonly AnnotationFile[];
  /** Of what put the report together, by name. */
  versions: Readonly<Record<string, string>>;
}

export const EMPTY_REPORT: EvaluationReport = {
  winRates: [],
  ratings: [],
  labels: [],
  quality: [],
  annotations: [],
  versions: {},
};

/** Objectives of no other family. */
const MENTAL_HEALTH_OBJECTIVES = new Set(
  OBJECTIVES.filter(({ trainedIn }) => trainedIn.every((family) => family === 'imhi') && trainedIn.length > 0).map(
    ({ key }) => key,
  ),
);

/** Whether it speaks of mental health: the note on professional help stands with it. */
export function isAboutMentalHealth({ winRates, ratings, labels, quality, annotations }: EvaluationReport): boolean {
  const isTheirs = ({ objective }: { objective: string }) => MENTAL_HEALTH_OBJECTIVES.has(objective);
  return (
    winRates.some(({ settings, rates }) => settings.family === 'imhi' || rates.some(isTheirs)) ||
    ratings.some(({ settings, ratings: rows }) => settings.family === 'imhi' || rows.some(isTheirs)) ||
    labels.length > 0 ||
    annotations.length > 0 ||
    quality.some(({ reports }) => reports.some(({ dataset }) => isImhiDataset(dataset)))
  );
}
