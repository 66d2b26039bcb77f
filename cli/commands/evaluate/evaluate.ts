import type { Command } from 'commander';
import { addAnnotationsCommand } from './annotations.ts';
import { addImhiCommand } from './imhi.ts';
import { addQualityCommand } from './quality.ts';
import { addRateCommand } from './rate.ts';
import { addReportCommand } from './report.ts';
import { addWinRateCommand } from './win-rate.ts';

export function addEvaluateCommand(program: Command): void {
  const evaluate = program
    .command('evaluate')
    .description(
      'score outputs: win rates and ratings by a judge, the IMHI labels, text quality, metrics beside human ratings, and one report of them (docs/evaluation.md)',
    );
  addWinRateCommand(evaluate);
  addRateCommand(evaluate);
  addImhiCommand(evaluate);
  addQualityCommand(evaluate);
  addAnnotationsCommand(evaluate);
  addReportCommand(evaluate);
}
