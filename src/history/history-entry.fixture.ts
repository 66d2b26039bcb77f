import { exampleAlignment } from '../align/alignment.fixture.ts';
import type { HistoryEntry } from './history-entry.ts';

export function exampleEntry(changes: Partial<HistoryEntry> = {}): HistoryEntry {
  return { ...exampleAlignment(), id: 'one', createdAt: 1_780_000_000_000, isPinned: false, decisions: [], ...changes };
}
