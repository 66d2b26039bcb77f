import type { StateCreator } from 'zustand/vanilla';

import type { WaitingVersion } from '../offline/service-worker-client.ts';
import type { AppState } from './app-store.ts';

/** The program itself: whether it needs its server, and whether there is a newer one. */
export interface ProgramSlice {
  /** It starts without a network. */
  isKeptOffline: boolean;
  waitingVersion: WaitingVersion | undefined;
  /** Tabs that kept the last try to start the new version from doing so. */
  otherTabs: number;
  /** After a reload the page runs with threads. */
  canBecomeFaster: boolean;
  reportProgram: (change: Partial<Pick<ProgramSlice, 'isKeptOffline' | 'waitingVersion' | 'canBecomeFaster'>>) => void;
  startWaitingVersion: () => Promise<void>;
}

export const createProgramSlice: StateCreator<AppState, [], [], ProgramSlice> = (set, get) => ({
  isKeptOffline: false,
  waitingVersion: undefined,
  otherTabs: 0,
  canBecomeFaster: false,
  reportProgram: (change) => set(change),
  async startWaitingVersion() {
    set({ otherTabs: (await get().waitingVersion?.start()) ?? 0 });
  },
});
