import type { Command } from 'commander';
import {
  IMHI_DATASETS,
  type ImhiDataset,
  labelOfOutput,
  labelOfReference,
} from '../../../src/evaluation/imhi-labels.ts';
import { RESPONSIBLE_USE } from '../../imhi/responsible-use.ts';
import { note, print } from '../../terminal.ts';
import { addImhiGenerateCommand } from './imhi-generate.ts';
import { listImhiOutputs } from '../../imhi/imhi-outputs.ts';
import { confusionOf, jsonOf, type LabelReport, labelReportOf, tableOf } from '../../imhi/label-report.ts';
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
        reports.push(labelRows(dataset, await readCells(path, ['goldens', 'generated_text'])));
      }
      if (options.json) {
        await print(jsonOf(reports, options.confusion === true));
        return;
      }
      await print(tableOf(reports, (report) => ({ 'out of domain': String(report.outOfDomain) })));
      if (options.confusion) for (const report of reports) await print(confusionOf(report));
      note(RESPONSIBLE_USE);
    });
}

interface RuleReport extends LabelReport {
  /** Of the rows compared, those whose output has no label. */
  outOfDomain: number;
}

function labelRows(dataset: ImhiDataset, rows: readonly { goldens: string; generated_text: string }[]): RuleReport {
  let outOfDomain = 0;
  const pairs = rows.map(({ goldens, generated_text }) => {
    const reference = labelOfReference(dataset, goldens);
    const { label, isOutOfDomain } = labelOfOutput(dataset, generated_text);
    if (reference !== undefined && isOutOfDomain) outOfDomain += 1;
    return { reference, label };
  });
  return { ...labelReportOf(dataset, pairs), outOfDomain };
}
