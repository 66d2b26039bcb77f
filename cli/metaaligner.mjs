#!/usr/bin/env node
import { builtProgram } from './built-program.mjs';

async function loadProgram() {
  const built = builtProgram();
  if (built !== undefined) {
    // The stack of a bug names our sources.
    process.setSourceMapsEnabled(true);
    return import(built);
  }
  // TypeScript is read as it is: the command works right after `npm ci`, with nothing built.
  const { register } = await import('tsx/esm/api');
  // The project's settings, not those of a tsconfig.json in the folder where the command is run.
  register({ tsconfig: false });
  return import('./main.ts');
}

const { main } = await loadProgram();
process.exitCode = await main(process.argv.slice(2));
