import { MODEL, Model } from './model';

/** How often a thread looks before it sleeps: about as long as the shortest part of a step. */
const SPINS = 4000;

/** Waits until all threads are here. */
export function meet(): void {
  const threads = MODEL.threads;
  if (threads == 1) return;
  const meetings = addressOf(offsetof<Model>('meeting'));
  const arrived = addressOf(offsetof<Model>('arrived'));
  const meeting = atomic.load<i32>(meetings);
  if (atomic.add<i32>(arrived, 1) == threads - 1) {
    atomic.store<i32>(arrived, 0);
    atomic.store<i32>(meetings, meeting + 1);
    atomic.notify(meetings, threads);
    return;
  }
  waitFor(meetings, meeting);
}

/** Lets the other threads begin the step that the model describes. */
export function beginStep(): void {
  if (MODEL.threads == 1) return;
  const stepNumber = addressOf(offsetof<Model>('stepNumber'));
  atomic.add<i32>(stepNumber, 1);
  atomic.notify(stepNumber, MODEL.threads);
}

/** @returns the number of the next step, when it has begun */
export function waitForStep(lastNumber: i32): i32 {
  const stepNumber = addressOf(offsetof<Model>('stepNumber'));
  waitFor(stepNumber, lastNumber);
  return atomic.load<i32>(stepNumber);
}

/** Takes the next part of what threads share out among them; who asks after the last is told a number beyond it. */
export function takeTicket(): i32 {
  return atomic.add<i32>(addressOf(offsetof<Model>('ticket')), 1);
}

/** Until what stands there is another number. */
function waitFor(address: usize, old: i32): void {
  for (let i = 0; i < SPINS; i++) if (atomic.load<i32>(address) != old) return;
  while (atomic.load<i32>(address) == old) atomic.wait<i32>(address, old, -1);
}

// @ts-ignore: a decorator of AssemblyScript
@inline
function addressOf(offset: usize): usize {
  return changetype<usize>(MODEL) + offset;
}
