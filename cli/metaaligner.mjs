#!/usr/bin/env node
// TypeScript is read as it is: the command works right after `npm ci`, with nothing built.
import { register } from 'tsx/esm/api';

// The project's settings, not those of a tsconfig.json in the folder where the command is run.
register({ tsconfig: false });
const { main } = await import('./main.ts');
process.exitCode = await main(process.argv.slice(2));
