import type { StateCreator } from 'zustand/vanilla';

import type { AlignErrorData } from '../align/errors.ts';
import type { DeviceReport } from '../../workers/protocol.ts';
import type { AppDependencies, AppState } from './app-store.ts';
import { toErrorData } from './error-data.ts';

/** What this machine offers. */
type DeviceState =
  { status: 'probing' } | { status: 'known'; report: DeviceReport } | { status: 'failed'; error: AlignErrorData };

export interface DeviceSlice {
  device: DeviceState;
  probeDevice: () => Promise<void>;
}

export function createDeviceSlice({ client }: AppDependencies): StateCreator<AppState, [], [], DeviceSlice> {
  return (set) => ({
    device: { status: 'probing' },
    async probeDevice() {
      set({ device: { status: 'probing' } });
      try {
        set({ device: { status: 'known', report: await client.probe() } });
      } catch (error) {
        set({ device: { status: 'failed', error: toErrorData(error) } });
      }
    },
  });
}
