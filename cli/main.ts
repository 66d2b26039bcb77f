import { Command, CommanderError } from 'commander';
import { AlignError } from '../src/align/errors.ts';
import { addAlignCommand } from './commands/align.ts';
import { addBatchCommand } from './commands/batch.ts';
import { addConvertCommand } from './commands/convert.ts';
import { addDatasetCommand } from './commands/dataset/dataset.ts';
import { addEvaluateCommand } from './commands/evaluate/evaluate.ts';
import { addKeyCommand } from './commands/key.ts';
import { addModelsCommand } from './commands/models.ts';
import { addPromptCommand } from './commands/prompt.ts';
import { addPullCommand } from './commands/pull.ts';
import { addServeCommand } from './commands/serve.ts';
import { addStartCommand } from './commands/start.ts';
import { diskFault } from './disk-fault.ts';
import { packageVersion } from './package-version.ts';
import { endQuietlyWhenNobodyReads, note } from './terminal.ts';
import { EXIT, exitCodeOf, isInterrupt, UsageError } from './usage-error.ts';

/**
 * Runs one command.
 *
 * @param args  without the program's name
 * @returns the exit code
 */
export async function main(args: readonly string[]): Promise<number> {
  endQuietlyWhenNobodyReads();
  const program = createProgram();
  try {
    await program.parseAsync(args, { from: 'user' });
    return Number(process.exitCode ?? EXIT.ok);
  } catch (error) {
    // Commander has printed the help or what was wrong.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    report(error);
    return exitCodeOf(error);
  }
}

function createProgram(): Command {
  const program = new Command('metaaligner')
    .description('Rewrites another model’s answer towards objectives given in words, on this machine.')
    .version(packageVersion())
    .showHelpAfterError()
    .exitOverride()
    .addHelpText('after', '\nExit codes: 0, 1 (failed), 2 (wrong usage), 130 (stopped by Ctrl-C).')
    .addHelpText('after', 'Results go to standard output, everything else to standard error.');
  addAlignCommand(program);
  addBatchCommand(program);
  addDatasetCommand(program);
  addEvaluateCommand(program);
  addPromptCommand(program);
  addConvertCommand(program);
  addModelsCommand(program);
  addPullCommand(program);
  addServeCommand(program);
  addKeyCommand(program);
  addStartCommand(program);
  return program;
}

function report(error: unknown): void {
  if (isInterrupt(error)) note('Interrupted.');
  else if (error instanceof AlignError) note(`error: ${error.message}\n${error.remedy}`);
  else if (error instanceof UsageError) note(`error: ${error.message}`);
  else {
    const fault = diskFault(error);
    if (fault !== undefined) note(`error: ${fault}`);
    // A bug of ours: its stack says where.
    else note(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
}
