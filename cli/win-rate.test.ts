import { createHash } from 'node:crypto';
import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SMALL_LLAMA } from '../src/convert/small-llama.fixture.ts';
import { convertToDisk } from '../src/engines/small-model.fixture.ts';
import { type AskedPair, type JudgeServer, startJudge } from './judge-server.fixture.ts';
import { runCli, startCli } from './run-cli.fixture.ts';

interface Rate {
  aligner: string;
  comparison: string;
  rows: number;
  invalid: number;
  leftOut: number;
  wins: number;
  ties: number;
  losses: number;
  winRate: { value: number; low: number; high: number };
  tiesAsWins: { value: number };
  tiesAsLosses: { value: number };
  positionConsistency: number | null;
  whereConsistent: { value: number };
  firstPlaceShare: number;
}
interface Report {
  rates: Rate[];
  advantages: { rows: number; difference: { value: number }; mcnemar: number }[];
  agreement: { judges: string[]; rows: number; kappa: number }[];
}

let folder: string;
let judge: JudgeServer | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'metaaligner-win-rate-'));
});
afterEach(async () => {
  await judge?.close();
  judge = undefined;
  await rm(folder, { recursive: true });
});

const goodness = (text: string) => text.split('good').length - 1;
/** The answer with more of the word “good”; a tie at as many. */
function better({ first, second }: AskedPair): string {
  const difference = goodness(first) - goodness(second);
  return difference > 0 ? '1' : difference < 0 ? '2' : '0';
}

/** A number from a text that is the same each time. */
const fractionOf = (text: string) => createHash('sha256').update(text).digest().readUInt32BE(0) / 2 ** 32;

/** Rows in which the edit wins against the reference, ties and loses in turn; the original always loses. */
async function writeOutputs(rows: number): Promise<string> {
  const outputs = join(folder, 'outputs');
  await mkdir(outputs, { recursive: true });
  const lines = Array.from({ length: rows }, (_, i) => {
    const aligned = ['good good good', 'good good', 'good'][i % 3]!;
    return `question ${i},good good ${i},plain ${i},${aligned} edit ${i}`;
  });
  const header = 'query,goldens,origin_responses,aligned_responses';
  await writeFile(join(outputs, 'policy.csv'), `${[header, ...lines].join('\n')}\n`);
  return outputs;
}

function argsOf(outputs: string, url: string, extra: readonly string[] = []): string[] {
  const fixed = ['evaluate', 'win-rate', '--outputs', outputs, '--judge', url, '--judge-model', 'rule'];
  return [...fixed, '--family', 'hh-rlhf', '--objectives', 'harmless', '--report', join(folder, 'report'), ...extra];
}

async function reportOf(args: readonly string[]): Promise<Report> {
  const { code, stdout, stderr } = await runCli([...args, '--json']);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout.toString()) as Report;
}

describe('evaluate win-rate', { timeout: 60_000 }, () => {
  it('judges every pair in both orders and reports rates, the advantage and files', async () => {
    judge = await startJudge({ reply: better });
    const report = await reportOf(argsOf(await writeOutputs(30), judge.url));
    const [aligned, original, direct] = report.rates;
    expect(aligned).toMatchObject({
      comparison: 'aligned-goldens',
      rows: 30,
      invalid: 0,
      wins: 10,
      ties: 10,
      losses: 10,
      positionConsistency: 1,
      firstPlaceShare: 0.5,
      winRate: { value: 0.5 },
    });
    expect(aligned!.tiesAsWins.value).toBeCloseTo(2 / 3, 12);
    expect(aligned!.tiesAsLosses.value).toBeCloseTo(1 / 3, 12);
    expect(original).toMatchObject({ comparison: 'original-goldens', wins: 0, losses: 30 });
    expect(direct).toMatchObject({ comparison: 'aligned-original', wins: 30, winRate: { value: 1 } });
    expect(report.advantages).toMatchObject([{ rows: 30, difference: { value: 0.5 } }]);
    expect(report.advantages[0]!.mcnemar).toBeCloseTo(2 / 2 ** 10, 12);
    expect(judge.calls()).toBe(30 * 3 * 2);
    expect(JSON.parse(await readFile(join(folder, 'report/report.json'), 'utf8'))).toEqual(report);
    const csv = await readFile(join(folder, 'report/rates.csv'), 'utf8');
    expect(csv.split('\n')).toHaveLength(1 + 3 + 1);
    expect(csv).toContain('winRate.value,winRate.low,winRate.high');
    const verdicts = await readFile(join(folder, 'report/verdicts.csv'), 'utf8');
    expect(verdicts.trim().split('\n')).toHaveLength(1 + 30 * 3 * 2);
    expect(verdicts).toContain('rule,outputs,policy,harmlessness,aligned-goldens,1,1,1,win,');
    expect(await readFile(join(folder, 'report/advantages.csv'), 'utf8')).toContain('difference.value');
  });

  it('asks nothing again: a repeated run costs no call and gives the same report', async () => {
    judge = await startJudge({ reply: better });
    const args = argsOf(await writeOutputs(6), judge.url);
    const first = await reportOf(args);
    const calls = judge.calls();
    expect(await reportOf(args)).toEqual(first);
    expect(judge.calls()).toBe(calls);
  });

  it('stays quiet over thousands of calls', async () => {
    judge = await startJudge({ reply: better });
    const { code, stderr } = await runCli(argsOf(await writeOutputs(300), judge.url));
    expect(code, stderr).toBe(0);
    expect(judge.calls()).toBe(1800);
    expect(stderr).not.toContain('Warning');
  });

  it('gives the same report with 5 % failing calls', async () => {
    const outputs = await writeOutputs(30);
    judge = await startJudge({ reply: better });
    const wanted = await reportOf(argsOf(outputs, judge.url, ['--report', join(folder, 'steady')]));
    await judge.close();
    // Too many requests, and a gateway's error that calls itself a success.
    judge = await startJudge({ reply: better, fails: (call) => ({ 7: 429, 17: 200 })[call % 40] });
    const found = await reportOf(argsOf(outputs, judge.url));
    expect(judge.calls()).toBeGreaterThan(180);
    expect({ ...found, settings: undefined }).toEqual({ ...wanted, settings: undefined });
  });

  it('goes on after a kill, with a torn line in its replies, and gives the same report', async () => {
    const outputs = await writeOutputs(20);
    const held = await startJudge({ reply: better, holdFrom: 60 });
    judge = held;
    const cache = join(folder, 'report/verdicts.jsonl');
    const port = new URL(held.url).port;
    const running = startCli(argsOf(outputs, held.url, ['--concurrency', '4']));
    await expect.poll(() => held.calls(), { timeout: 20_000 }).toBeGreaterThanOrEqual(63);
    running.child.kill('SIGKILL');
    await running.ended;
    await held.close();
    await appendFile(cache, '{"key":"torn');

    // The same address, or the replies would be another judge's.
    judge = await startJudge({ reply: better, port: Number(port) });
    const resumed = await reportOf(argsOf(outputs, judge.url));
    expect(judge.calls()).toBeLessThanOrEqual(120 - 55);
    const whole = await reportOf(argsOf(outputs, judge.url, ['--report', join(folder, 'whole')]));
    expect(resumed).toEqual(whole);
  });

  it('exposes a judge that prefers the first place, and does not let it move the win rate', async () => {
    // Half of the time whatever stands first, so a single order would favour it.
    const biased = (pair: AskedPair) => (fractionOf(pair.prompt.split(' | RESPONSE')[0]!) < 0.5 ? '1' : better(pair));
    judge = await startJudge({ reply: biased });
    const [aligned, , direct] = (await reportOf(argsOf(await writeOutputs(60), judge.url))).rates;
    expect(aligned!.positionConsistency).toBeLessThan(0.7);
    expect(aligned!.firstPlaceShare).toBeGreaterThan(0.65);
    // The fair judge finds 20 wins, 20 ties and 20 losses.
    expect(Math.abs(aligned!.winRate.value - 0.5)).toBeLessThan(0.06);
    // It finds that the edit always beats the original; ties of the orders hide it, rows whose orders agree do not.
    expect(direct!.winRate.value).toBeLessThan(0.85);
    expect(direct!.whereConsistent.value).toBe(1);
  });

  it('counts replies without a verdict, refused prompts and lasting failures as invalid, blank texts as left out', async () => {
    const outputs = join(folder, 'outputs');
    await mkdir(outputs);
    const rows = ['q0,gold,old,good new', 'q1,gold,old,mumble', 'q2,gold,old,both', 'q3,,old,good new'];
    rows.push('q4,gold,old,refused', 'q5,gold,old,overloaded');
    await writeFile(join(outputs, 'a.csv'), `query,goldens,origin_responses,aligned_responses\n${rows.join('\n')}\n`);
    const reply = (pair: AskedPair) =>
      pair.prompt.includes('mumble') ? 'I cannot say.' : pair.prompt.includes('both') ? '1 or 2' : better(pair);
    const fails = (_call: number, body: string) =>
      body.includes('refused') ? 400 : body.includes('overloaded') ? 503 : undefined;
    judge = await startJudge({ reply, fails });
    const [aligned, original] = (await reportOf(argsOf(outputs, judge.url))).rates;
    expect(aligned).toMatchObject({ rows: 1, invalid: 4, leftOut: 1, wins: 1 });
    expect(original).toMatchObject({ rows: 5, invalid: 0, leftOut: 1, ties: 5 });
    const inPaperMode = (await reportOf(argsOf(outputs, judge.url, ['--paper=text']))).rates[0];
    // There a reply that names no place is a loss, as published; a call that failed still is no verdict.
    expect(inPaperMode).toMatchObject({ rows: 3, invalid: 2, leftOut: 1 });
  });

  it('writes one page with the paper’s figures, examples and texts as text', async () => {
    const outputs = join(folder, 'outputs');
    await mkdir(outputs);
    const rows = ['"<script>alert(1)</script>",gold,old,good <b>new</b>', 'q,gold good,old,worse'];
    await writeFile(
      join(outputs, 'gpt-3.5-turbo.csv'),
      `query,goldens,origin_responses,aligned_responses\n${rows.join('\n')}\n`,
    );
    judge = await startJudge({ reply: better });
    const { code, stderr } = await runCli(argsOf(outputs, judge.url));
    expect(code, stderr).toBe(0);
    const page = await readFile(join(folder, 'report/report.html'), 'utf8');
    expect(page).not.toMatch(/<script|<b>|https?:\/\/(?!127)|src=|href=/);
    // Their lengths against their wins, and the whole of the paper's table a click away.
    expect(page).toContain('Longer by, characters');
    expect(page).toContain('<th scope="row">Vicuna-33B</th><td class="name">13B</td><td>31.50</td>');
    expect(page).toContain('&#60;script&#62;alert(1)');
    expect(page).toContain('<td>1.42</td><td>15.92</td><td>18.42</td>');
    expect(page.match(/<h4>A (win|loss), row \d<\/h4>/g)).toHaveLength(4);
    expect(page).toContain('For research only.');
  });

  it('puts its win rates above those of the paper’s other methods, an average where every objective was judged', async () => {
    judge = await startJudge({ reply: better });
    const all = 'harmlessness,helpfulness,humour';
    const { code, stderr } = await runCli(argsOf(await writeOutputs(3), judge.url, ['--objectives', all]));
    expect(code, stderr).toBe(0);
    const page = await readFile(join(folder, 'report/report.html'), 'utf8');
    const third = '<td>33.33</td>';
    expect(page).toContain(`outputs on policy, rule (here)</th>${third}${third}${third}${third}</tr>`);
    expect(page).toContain(
      'MetaAligner-7B on LLaMA2-Chat-7B</th><td>77.50</td><td>82.00</td><td>83.00</td><td>80.83</td>',
    );
    expect(page).toMatch(/Versions: metaaligner \d+\.\d+\.\d+, Node\.js \d+/);
  });

  it('compares aligners, a folder each, and asks once what they share', async () => {
    judge = await startJudge({ reply: better });
    const outputs = await writeOutputs(6);
    const other = join(folder, 'other');
    await mkdir(other);
    const text = await readFile(join(outputs, 'policy.csv'), 'utf8');
    await writeFile(join(other, 'policy.csv'), text.replaceAll('edit', 'good edit'));
    const report = await reportOf(argsOf(outputs, judge.url, ['--outputs', `second=${other}`]));
    expect(report.rates.map(({ aligner, comparison }) => `${aligner} ${comparison}`)).toEqual([
      'outputs aligned-goldens',
      'outputs original-goldens',
      'outputs aligned-original',
      'second aligned-goldens',
      'second original-goldens',
      'second aligned-original',
    ]);
    expect(report.rates[0]).toMatchObject({ wins: 2, ties: 2, losses: 2 });
    expect(report.rates[3]).toMatchObject({ wins: 4, ties: 2, losses: 0 });
    // The originals against the references are the same for both.
    expect(judge.calls()).toBe(6 * 2 * 5);
    const twice = await runCli(argsOf(outputs, judge.url, ['--outputs', outputs]));
    expect(twice.code).toBe(2);
    expect(twice.stderr).toContain('Two folders of outputs are named “outputs”');
  });

  it('asks repeatedly where told: most replies decide, and their agreement is reported', async () => {
    let calls = 0;
    // Of the three replies to each question one, in turn, is contrary.
    const asked = new Map<string, number>();
    const reply = (pair: AskedPair) => {
      const count = asked.get(pair.prompt) ?? 0;
      asked.set(pair.prompt, count + 1);
      calls += 1;
      return count === 1 ? better({ ...pair, first: pair.second, second: pair.first }) : better(pair);
    };
    judge = await startJudge({ reply });
    const outputs = await writeOutputs(6);
    const { rates, agreement } = await reportOf(argsOf(outputs, judge.url, ['--repeats', '3', '--concurrency', '1']));
    expect(calls).toBe(6 * 3 * 2 * 3);
    expect(rates[0]).toMatchObject({ wins: 2, ties: 2, losses: 2, invalid: 0 });
    expect(agreement.map(({ judges }) => judges)).toEqual([
      ['rule, call 1', 'rule, call 2'],
      ['rule, call 1', 'rule, call 3'],
      ['rule, call 2', 'rule, call 3'],
    ]);
    expect(agreement[0]!.kappa).toBeLessThan(0);
    expect(agreement[1]!.kappa).toBe(1);
    const once = await reportOf(argsOf(outputs, judge.url));
    // The first call of each question is the same with and without repeats.
    expect(calls).toBe(6 * 3 * 2 * 3);
    expect(once.agreement).toEqual([]);
  });

  it('takes a converted model on this machine as the judge, and asks it nothing again', async () => {
    const model = await convertToDisk(['q8'], SMALL_LLAMA);
    try {
      const template = "{{ bos_token }}{{ messages[0]['content'] }}";
      await writeFile(join(model.directory, 'chat_template.jinja'), template);
      const outputs = await writeOutputs(2);
      const fixed = ['evaluate', 'win-rate', '--outputs', outputs, '--judge-model', model.directory];
      const args = [...fixed, '--family', 'hh-rlhf', '--objectives', 'humour', '--report', join(folder, 'report')];
      const { code, stdout, stderr } = await runCli([...args, '--json']);
      expect(code, stderr).toBe(0);
      expect(stderr).toContain('12 calls to make');
      const { settings, rates } = JSON.parse(stdout.toString()) as Report & { settings: Record<string, object> };
      expect(settings).toMatchObject({
        judge: 'this machine',
        versions: { 'onnxruntime-node': expect.any(String) as string },
      });
      // Random weights give a verdict by chance only; what they wrote is kept.
      expect(rates.every(({ rows, invalid }) => rows + invalid === 2)).toBe(true);
      const kept = await readFile(join(folder, 'report/verdicts.jsonl'), 'utf8');
      const replies = kept
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { reply: { replyTokens: number } });
      expect(replies).toHaveLength(12);
      expect(replies.some(({ reply }) => reply.replyTokens > 0)).toBe(true);
      const again = await runCli([...args, '--json']);
      expect(again.stderr).toContain('0 calls to make');
      expect(again.stdout.toString()).toBe(stdout.toString());
    } finally {
      await model.remove();
    }
  });

  it('says at a judge that cannot hold the questions how long they are', async () => {
    const model = await convertToDisk(['q8']);
    try {
      const fixed = ['evaluate', 'win-rate', '--outputs', await writeOutputs(6), '--judge-model', model.directory];
      const args = [...fixed, '--family', 'hh-rlhf', '--objectives', 'humour', '--report', join(folder, 'report')];
      const { code, stderr } = await runCli(args);
      expect(code).toBe(1);
      expect(stderr).toContain('the model reads 160');
    } finally {
      await model.remove();
    }
  });

  it('says with IMHI that who needs help should see a professional', async () => {
    judge = await startJudge({ reply: better });
    const args = argsOf(await writeOutputs(3), judge.url, ['--family', 'imhi', '--objectives', 'correct']);
    const { stderr } = await runCli(args);
    expect(stderr).toContain('should see a professional');
    expect(await readFile(join(folder, 'report/report.html'), 'utf8')).toContain('should see a professional');
  });

  it.each([
    ['script', 2 / 3],
    ['text', 1 / 3],
  ])('--paper=%s asks once for each pair, with no settings, and counts ties its way', async (mode, wanted) => {
    judge = await startJudge({ reply: better });
    const outputs = await writeOutputs(30);
    const { rates, advantages } = await reportOf(argsOf(outputs, judge.url, [`--paper=${mode}`]));
    expect(rates.map(({ comparison }) => comparison)).toEqual(['aligned-goldens', 'original-goldens']);
    expect(judge.calls()).toBe(60);
    expect(judge.bodies.every((body) => Object.keys(body).join() === 'model,messages')).toBe(true);
    expect(advantages[0]!.difference.value).toBeCloseTo(wanted, 12);
    expect(rates[0]!.positionConsistency).toBeNull();
    const placedFirst = judge.bodies.filter((body) => /RESPONSE 2: good good \d/.test(JSON.stringify(body))).length;
    expect(placedFirst).toBeGreaterThan(10);
    expect(placedFirst).toBeLessThan(50);
  });

  it('gives the agreement of two judges', async () => {
    const contrary = (pair: AskedPair) => better({ ...pair, first: pair.second, second: pair.first });
    judge = await startJudge({ reply: (pair) => (pair.model === 'rule' ? better(pair) : contrary(pair)) });
    const { agreement } = await reportOf(argsOf(await writeOutputs(6), judge.url, ['--judge-model', 'contrary']));
    expect(agreement).toMatchObject([{ judges: ['rule', 'contrary'], rows: 18 }]);
    expect(agreement[0]!.kappa).toBeLessThan(0);
  });

  it.each([
    [['--max-calls', '35'], '36 calls are more than --max-calls 35. Nothing was sent.'],
    [['--price', '1000000,0', '--max-cost', '1'], 'is more than --max-cost 1. Nothing was sent.'],
    [['--max-cost', '1'], '--max-cost needs --price'],
    [['--price', '10'], 'two prices'],
    [['--seed', '-1'], 'whole number'],
    [['--judge', 'nowhere'], 'is no address'],
  ])('sends nothing with %j', async (extra, said) => {
    judge = await startJudge({ reply: better });
    const { code, stderr } = await runCli(argsOf(await writeOutputs(6), judge.url, extra));
    expect(code).toBe(2);
    expect(stderr).toContain(said);
    expect(judge.calls()).toBe(0);
  });

  it('does not write its tables among the outputs', async () => {
    judge = await startJudge({ reply: better });
    const outputs = await writeOutputs(3);
    const { code, stderr } = await runCli(argsOf(outputs, judge.url, ['--report', `${outputs}/.`]));
    expect(code).toBe(2);
    expect(stderr).toContain('--report is the folder of --outputs');
    expect(judge.calls()).toBe(0);
  });

  it('Ctrl-C keeps the replies and says how to go on', async () => {
    judge = await startJudge({ reply: better, holdFrom: 20 });
    const held = judge;
    const running = startCli(argsOf(await writeOutputs(20), held.url, ['--concurrency', '2']));
    await expect.poll(() => held.calls(), { timeout: 20_000 }).toBeGreaterThanOrEqual(21);
    running.child.kill('SIGINT');
    const { code, stderr } = await running.ended;
    expect(code).toBe(130);
    expect(stderr).toContain('Run the same command to go on.');
    const kept = await readFile(join(folder, 'report/verdicts.jsonl'), 'utf8');
    expect(kept.trim().split('\n')).toHaveLength(19);
  });

  it('--estimate says what a run takes and sends nothing', async () => {
    judge = await startJudge({ reply: better });
    const extra = ['--estimate', '--price', '10,30'];
    const { code, stderr } = await runCli(argsOf(await writeOutputs(6), judge.url, extra));
    expect(code).toBe(0);
    expect(stderr).toMatch(/^36 calls to make, about \d+ tokens, about \$0\.\d\d\.$/m);
    expect(judge.calls()).toBe(0);
  });

  it('stops, with the replies kept, once they have cost more than allowed', async () => {
    judge = await startJudge({ reply: better });
    // The server says 200 tokens a prompt, more than the estimate's.
    const extra = ['--concurrency', '1', '--price', '1000000,0', '--max-cost', '8000'];
    const outputs = await writeOutputs(12);
    const { code, stderr } = await runCli(argsOf(outputs, judge.url, extra));
    expect(code, stderr).toBe(1);
    expect(stderr).toContain('They are kept.');
    expect((await readFile(join(folder, 'report/verdicts.jsonl'), 'utf8')).trim().split('\n')).toHaveLength(41);
  });

  it('stops at a wrong address instead of reporting invalid rows', async () => {
    judge = await startJudge({ reply: better });
    const { code, stderr } = await runCli(argsOf(await writeOutputs(6), judge.url.replace('/v1', '/v2')));
    expect(code).toBe(1);
    expect(stderr).toContain('answered 404');
  });
});

describe('evaluate rate', { timeout: 60_000 }, () => {
  it('gives the ratings of originals and edits with their difference, and asks nothing again', async () => {
    // Plain texts get 1, the edits 3, 2 and 1 more; one reply is no rating.
    const reply = ({ prompt }: AskedPair) => (prompt.includes('question 5') ? 'fine' : String(1 + goodness(prompt)));
    judge = await startJudge({ reply });
    const report = join(folder, 'report');
    const fixed = ['evaluate', 'rate', '--outputs', await writeOutputs(6), '--judge', judge.url, '--report', report];
    const args = [...fixed, '--judge-model', 'rule', '--objectives', 'honesty', '--json'];
    const { code, stdout, stderr } = await runCli(args);
    expect(code, stderr).toBe(0);
    const { ratings } = JSON.parse(stdout.toString()) as { ratings: Record<string, unknown>[] };
    expect(ratings).toMatchObject([
      {
        policy: 'policy',
        objective: 'honesty',
        rows: 5,
        invalid: 1,
        leftOut: 0,
        original: { value: 1, low: 1, high: 1 },
        aligned: { value: 3.2 },
        difference: { value: 2.2 },
      },
    ]);
    expect(await readFile(join(report, 'ratings.json'), 'utf8')).toBe(stdout.toString());
    const calls = judge.calls();
    expect((await runCli(args)).stdout.toString()).toBe(stdout.toString());
    expect(judge.calls()).toBe(calls);
  });

  it('rates by the objectives’ texts of the family that is named, and says with mental health who helps', async () => {
    judge = await startJudge({ reply: () => '7' });
    const outputs = await writeOutputs(2);
    const rate = async (family: string, objective: string) => {
      const args = ['evaluate', 'rate', '--outputs', outputs, '--judge', judge!.url, '--judge-model', 'rule'];
      const report = join(folder, `rated-${family}-${objective}`);
      const run = await runCli([...args, '--family', family, '--objectives', objective, '--report', report]);
      expect(run.code, run.stderr).toBe(0);
      const asked = JSON.stringify(judge!.bodies.at(-1));
      const to = join(folder, `shown-${family}-${objective}`);
      expect((await runCli(['evaluate', 'report', join(report, 'ratings.json'), '--to', to])).code).toBe(0);
      const page = await readFile(join(to, 'report.html'), 'utf8');
      return { asked, hasNote: run.stderr.includes('professional'), hasNoteOnPage: page.includes('a professional') };
    };
    const hh = await rate('hh-rlhf', 'helpfulness');
    expect(hh.asked).toContain('Helpfulness: The response should');
    expect(hh).toMatchObject({ hasNote: false, hasNoteOnPage: false });
    expect((await rate('ultrafeedback', 'helpfulness')).asked).toContain('Helpfulness: the response should');
    // Theirs alone: no family needs to be named.
    expect(await rate('ultrafeedback', 'correct')).toMatchObject({ hasNote: true, hasNoteOnPage: true });
    expect(await rate('imhi', 'readability')).toMatchObject({ hasNote: true, hasNoteOnPage: true });
  });
});
