import { expect, it } from 'vitest';
import { BusyError, WorkQueue } from './work-queue.ts';

const never = new AbortController().signal;

/** Requests that note their names when they start, and hold their place until they are told to end. */
function startRequests(queue: WorkQueue) {
  const started: string[] = [];
  const refused: string[] = [];
  const ends = new Map<string, () => void>();
  return {
    started,
    refused,
    enter: (client: string, name: string, signal = never): void => {
      queue.enter(signal, client).then(
        (leave) => {
          started.push(name);
          ends.set(name, leave);
        },
        (error: unknown) => void refused.push(error instanceof BusyError ? name : String(error)),
      );
    },
    end: async (name: string): Promise<void> => {
      ends.get(name)?.();
      await settled();
    },
  };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

it('lets the clients take turns, each in its own order', async () => {
  const queue = new WorkQueue({ atATime: 1, maxWaiting: 10 });
  const { started, enter, end } = startRequests(queue);
  for (const name of ['a1', 'a2', 'a3', 'a4']) enter('a', name);
  enter('b', 'b1');
  enter('c', 'c1');
  enter('b', 'b2');
  await settled();
  for (let i = 0; i < 7; i++) await end(started.at(-1)!);
  expect(started).toEqual(['a1', 'a2', 'b1', 'c1', 'a3', 'b2', 'a4']);
  expect([queue.running, queue.waiting]).toEqual([0, 0]);
});

it('gives the last place of the longest line to a client with a shorter one, and to nobody else', async () => {
  const queue = new WorkQueue({ atATime: 1, maxWaiting: 3 });
  const { started, refused, enter, end } = startRequests(queue);
  for (const name of ['a1', 'a2', 'a3', 'a4', 'a5']) enter('a', name);
  await settled();
  expect(refused).toEqual(['a5']);
  enter('b', 'b1');
  await settled();
  expect(refused).toEqual(['a5', 'a4']);
  // As long as the longest would be then.
  enter('b', 'b2');
  await settled();
  expect(refused).toEqual(['a5', 'a4', 'b2']);
  expect(queue.waiting).toBe(3);
  for (let i = 0; i < 4; i++) await end(started.at(-1)!);
  expect(started).toEqual(['a1', 'a2', 'b1', 'a3']);
});

it('leaves places that one client may not have to others', async () => {
  const queue = new WorkQueue({ atATime: 3, perClient: 2, maxWaiting: 10 });
  const { started, enter, end } = startRequests(queue);
  for (const name of ['a1', 'a2', 'a3', 'a4']) enter('a', name);
  await settled();
  expect([started, queue.running, queue.waiting]).toEqual([['a1', 'a2'], 2, 2]);
  for (const name of ['b1', 'b2']) enter('b', name);
  await settled();
  expect(started).toEqual(['a1', 'a2', 'b1']);
  // The place is handed to its own client, whose turn it is, and then to none that has its share.
  await end('a1');
  expect(started).toEqual(['a1', 'a2', 'b1', 'a3']);
  await end('b1');
  expect(started).toEqual(['a1', 'a2', 'b1', 'a3', 'b2']);
  await end('b2');
  expect([started.length, queue.running, queue.waiting]).toEqual([5, 2, 1]);
  await end('a2');
  for (const name of ['a3', 'a4']) await end(name);
  expect([started.at(-1), queue.running, queue.waiting]).toEqual(['a4', 0, 0]);
});

it('forgets who leaves while they wait', async () => {
  const queue = new WorkQueue({ atATime: 1, maxWaiting: 3 });
  const { started, refused, enter, end } = startRequests(queue);
  const controller = new AbortController();
  enter('a', 'a1');
  enter('b', 'b1', controller.signal);
  enter('b', 'b2');
  await settled();
  controller.abort(new Error('left'));
  await settled();
  expect([refused, queue.waiting]).toEqual([['Error: left'], 1]);
  await end('a1');
  await end('b2');
  expect(started).toEqual(['a1', 'b2']);
  expect([queue.running, queue.waiting]).toEqual([0, 0]);
});
