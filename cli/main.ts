import { Command, CommanderError } from 'commander';
import { AlignError } from '../src/align/errors.ts';
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
  try {
    const program = await createProgram(args[0]);
    await program.parseAsync(args, { from: 'user' });
    return Number(process.exitCode ?? EXIT.ok);
  } catch (error) {
    // Commander has printed the help or what was wrong.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    report(error);
    return exitCodeOf(error);
  }
}

/** By name, in the order of the help. What a command needs is loaded when it is called. */
const COMMANDS: Record<string, () => Promise<(program: Command) => void>> = {
  align: async () => (await import('./commands/align.ts')).addAlignCommand,
  batch: async () => (await import('./commands/batch.ts')).addBatchCommand,
  dataset: async () => (await import('./commands/dataset/dataset.ts')).addDatasetCommand,
  evaluate: async () => (await import('./commands/evaluate/evaluate.ts')).addEvaluateCommand,
  prompt: async () => (await import('./commands/prompt.ts')).addPromptCommand,
  convert: async () => (await import('./commands/convert.ts')).addConvertCommand,
  models: async () => (await import('./commands/models.ts')).addModelsCommand,
  pull: async () => (await import('./commands/pull.ts')).addPullCommand,
  serve: async () => (await import('./commands/serve.ts')).addServeCommand,
  key: async () => (await import('./commands/key.ts')).addKeyCommand,
  start: async () => (await import('./commands/start.ts')).addStartCommand,
};

/** @param called  the first of the arguments */
async function createProgram(called: string | undefined): Promise<Command> {
  const program = new Command('metaaligner')
    .description('Rewrites another model’s answer towards objectives given in words, on this machine.')
    .version(packageVersion())
    .showHelpAfterError()
    .exitOverride()
    .addHelpText('after', '\nExit codes: 0, 1 (failed), 2 (wrong usage), 130 (stopped by Ctrl-C).')
    .addHelpText('after', 'Results go to standard output, everything else to standard error.');
  // The help, and what is no command, need all of them.
  const names = called !== undefined && Object.hasOwn(COMMANDS, called) ? [called] : Object.keys(COMMANDS);
  for (const name of names) (await COMMANDS[name]!())(program);
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
