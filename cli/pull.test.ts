import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type LocalHub, startLocalHub } from '../e2e/local-hub.ts';
import { convertCheckpoint } from '../src/convert/convert.ts';
import { MemoryFolder, randomCheckpoint, SMALL_LLAMA } from '../src/convert/small-llama.fixture.ts';
import { openNodeFolder } from '../src/weights/node-folder.ts';
import { BROAD_LLAMA, safetensorsRepository } from '../src/weights/small-checkpoint.fixture.ts';
import { runCli, startCli } from './run-cli.fixture.ts';

// Each test starts Node anew.
vi.setConfig({ testTimeout: 60_000 });

const ID = 'MetaAligner/MetaAligner-IMHI-tiny';
let directory: string;
let hub: LocalHub;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'metaaligner-pull-'));
});
afterEach(async () => {
  await hub.close();
  await rm(directory, { recursive: true, force: true });
});

const pull = (...more: string[]) => ['pull', ID, '--to', join(directory, 'out'), '--hub', hub.endpoint, ...more];

async function converted(config = SMALL_LLAMA): Promise<MemoryFolder> {
  const folder = new MemoryFolder();
  const options = { variants: ['q4'], name: 'MetaAligner-IMHI-tiny', source: ID, family: 'imhi' } as const;
  await convertCheckpoint(randomCheckpoint(config), folder, options);
  return folder;
}

/** The folder is that of `convert`, but for the checksums in its manifest. */
async function expectSameAs(folder: MemoryFolder): Promise<void> {
  const paths = await (await openNodeFolder(join(directory, 'out'))).list();
  expect([...paths]).toEqual([...folder.files.keys()].sort());
  for (const [path, bytes] of folder.files) {
    if (path === 'metaaligner.json') continue;
    expect(Buffer.compare(await readFile(join(directory, 'out', path)), bytes), path).toBe(0);
  }
}

describe('metaaligner pull', () => {
  it('writes the folder that convert would have written, with checksums', async () => {
    hub = await startLocalHub({ repositories: { [ID]: { files: await safetensorsRepository() } } });
    const { code, stderr } = await runCli(pull());
    expect(stderr).toContain('is ready; every byte was checked');
    expect(code).toBe(0);
    await expectSameAs(await converted());
    const manifest = await readFile(join(directory, 'out', 'metaaligner.json'), 'utf8');
    expect(manifest).toMatch(/"sha256": "[0-9a-f]{64}"/);
    // What is there is not replaced.
    expect(await runCli(pull())).toMatchObject({ code: 2 });
  });

  it('takes a ready folder as it is', async () => {
    hub = await startLocalHub({ repositories: { [ID]: { files: Object.fromEntries((await converted()).files) } } });
    expect(await runCli(pull())).toMatchObject({ code: 0 });
    await expectSameAs(await converted());
  });

  it('goes on after it was killed', async () => {
    const files = await safetensorsRepository(BROAD_LLAMA);
    hub = await startLocalHub({
      repositories: { [ID]: { files } },
      fault: ({ path, start }) =>
        path === 'model.safetensors' && start >= 8 << 20 && start < 13_000_000
          ? { kind: 'stall', afterBytes: 0 }
          : undefined,
    });
    const running = startCli(pull());
    await vi.waitUntil(() => /6\d % converting/.test(running.stderr()), { timeout: 30_000 });
    running.child.kill('SIGKILL');
    await running.ended;
    const sent = hub.sentBytes;
    hub.fault = undefined;
    expect(await runCli(pull())).toMatchObject({ code: 0 });
    await expectSameAs(await converted(BROAD_LLAMA));
    // What was staged is not sent again; without staging it is the whole file.
    const wholeBytes = files['model.safetensors']?.length ?? 0;
    expect(hub.sentBytes - sent).toBeLessThan(wholeBytes - 2e6);
  });

  it('says how to give a token for a gated model, and takes it from the environment', async () => {
    hub = await startLocalHub({
      repositories: { [ID]: { files: await safetensorsRepository(), access: 'gated' } },
      token: 'hf_good',
    });
    const refused = await runCli(pull('--token-env', 'NO_SUCH_VARIABLE'));
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('HF_TOKEN');
    vi.stubEnv('MY_HUB_TOKEN', 'hf_good');
    expect(await runCli(pull('--token-env', 'MY_HUB_TOKEN'))).toMatchObject({ code: 0 });
    vi.unstubAllEnvs();
  });

  it.each([
    ['a reference that is none', ['pull', 'not a model'], 1],
    ['a variant that is none', ['pull', ID, '--variant', 'q3'], 2],
    ['a hub that is no address', ['pull', ID, '--hub', 'hub'], 2],
  ])('refuses %s', async (_name, args, code) => {
    hub = await startLocalHub({ repositories: {} });
    expect((await runCli(args)).code).toBe(code);
  });
});
