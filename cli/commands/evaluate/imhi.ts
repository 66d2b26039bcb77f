import type { Command } from 'commander';
import { IMHI_DATASETS } from '../../../src/evaluation/imhi-labels.ts';
import { type RuleReport, ruleReportOf } from '../../../src/evaluation/report/label-report.ts';
import { RESPONSIBLE_USE } from '../../imhi/responsible-use.ts';
import { note, print } from '../../terminal.ts';
import { addImhiGenerateCommand } from './imhi-generate.ts';
import { listImhiOutputs } from '../../imhi/imhi-outputs.ts';
import { confusionOf, jsonOf, tableOf } from '../../imhi/label-report.ts';
import { addImhiClassifyCommand } from './imhi-classify.ts';
import { readCells } from './outputs.ts';

export function addImhiCommand(evaluate: Command): void {
  const imhi = evaluate.command('imhi').description('mental health data sets; for research, not for diagnosis');
  addImhiGenerateCommand(imhi);
  addImhiClassifyCommand(imhi);
  imhi
    .command('rule')
    .description('labels found in the text by rules, against those of the references')
    .requiredOption(
      '--outputs <folder>',
      `CSV files with columns goldens, generated_text, each named after its data set: ${IMHI_DATASETS.join(', ')}`,
    )
    .option('--json', 'as one JSON list')
    .option('--confusion', 'a confusion matrix for each data set beside the table')
    .action(async (options: { outputs: string; json?: true; confusion?: true }) => {
      const reports: RuleReport[] = [];
      for (const { dataset, path } of await listImhiOutputs(options.outputs)) {
        const rows = await readCells(path, ['goldens', 'generated_text']);
        reports.push(
          ruleReportOf(
            dataset,
            rows.map(({ goldens, generated_text }) => ({ golden: goldens, text: generated_text })),
          ),
        );
      }
      if (options.json) {
        await print(jsonOf(reports, options.confusion === true));
        note(RESPONSIBLE_USE);
        return;
      }
      await print(tableOf(reports, (report) => ({ 'out of domain': String(report.outOfDomain) })));
      if (options.confusion) for (const report of reports) await print(confusionOf(report));
      note(RESPONSIBLE_USE);
    });
}
