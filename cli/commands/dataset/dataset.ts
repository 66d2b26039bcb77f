import type { Command } from 'commander';
import { addHhRlhfCommands } from './hh-rlhf.ts';
import { addUltraFeedbackCommands } from './ultrafeedback.ts';

export function addDatasetCommand(program: Command): void {
  const dataset = program
    .command('dataset')
    .description('training data of aligners from preference data (docs/datasets.md)');
  addHhRlhfCommands(dataset);
  addUltraFeedbackCommands(dataset);
}
