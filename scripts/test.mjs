/**
 * `npm test`: every check in turn, all of them even after one failed, then one line with the counts of the tests.
 * The exit code is 1 if anything failed.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';

const reports = '.cache/test-reports';
rmSync(reports, { recursive: true, force: true });
mkdirSync(reports, { recursive: true });

/** @returns whether the command succeeded */
function run(script, args = [], env = {}) {
  console.log(`\n── npm run ${script}`);
  const { status } = spawnSync('npm', ['run', '-s', script, ...(args.length > 0 ? ['--', ...args] : [])], {
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  return status === 0;
}

/** Beside others; what it says is printed when it has ended. @returns whether the command succeeded */
function runBeside(script) {
  return new Promise((resolve) => {
    const child = spawn('npm', ['run', '-s', script], { stdio: ['ignore', 'pipe', 'pipe'] });
    const output = [];
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => output.push(bytes));
    const end = (isDone) => {
      console.log(`\n── npm run ${script}`);
      process.stdout.write(Buffer.concat(output));
      resolve(isDone);
    };
    child.on('error', (error) => {
      output.push(Buffer.from(`${error.message}\n`));
      end(false);
    });
    child.on('close', (code) => end(code === 0));
  });
}

function readReport(name) {
  try {
    return JSON.parse(readFileSync(`${reports}/${name}`, 'utf8'));
  } catch {
    return undefined;
  }
}

// Each takes one core.
const checks = ['test:types', 'test:lint', 'test:format'];
const outcomes = await Promise.all(checks.map(runBeside));
const failedChecks = checks.filter((_, i) => !outcomes[i]);
if (!run('test:unit', ['--reporter=default', '--reporter=json', `--outputFile.json=${reports}/unit.json`])) {
  failedChecks.push('test:unit');
}
if (!run('test:e2e', ['--reporter=list,json'], { PLAYWRIGHT_JSON_OUTPUT_NAME: `${reports}/e2e.json` })) {
  failedChecks.push('test:e2e');
}

const unit = readReport('unit.json');
const e2e = readReport('e2e.json')?.stats;
const passed = (unit?.numPassedTests ?? 0) + (e2e?.expected ?? 0) + (e2e?.flaky ?? 0);
const failed = (unit?.numFailedTests ?? 0) + (e2e?.unexpected ?? 0);
const skipped = (unit?.numPendingTests ?? 0) + (unit?.numTodoTests ?? 0) + (e2e?.skipped ?? 0);
console.log(failedChecks.length === 0 ? '\nAll checks passed.' : `\nFailed: ${failedChecks.join(', ')}`);
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failedChecks.length === 0 ? 0 : 1;
