import { language } from './locale.ts';

const count = new Intl.NumberFormat(language);
const oneDecimal = new Intl.NumberFormat(language, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const upToOneDecimal = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });

/** `1,024` */
export function formatCount(value: number): string {
  return count.format(value);
}

/** Decimal units, as disks and browsers show them: `312 kB`, `46 MB`, `4.4 GB`. */
export function formatBytes(bytes: number): string {
  if (bytes >= 1e9) return `${upToOneDecimal.format(bytes / 1e9)} GB`;
  if (bytes >= 1e6) return `${count.format(Math.round(bytes / 1e6))} MB`;
  return `${count.format(Math.max(bytes > 0 ? 1 : 0, Math.round(bytes / 1e3)))} kB`;
}

/** `1.1B`, `135M` */
export function formatParameters(parameterCount: number): string {
  if (parameterCount >= 1e9) return `${upToOneDecimal.format(parameterCount / 1e9)}B`;
  if (parameterCount >= 1e6) return `${count.format(Math.round(parameterCount / 1e6))}M`;
  return count.format(parameterCount);
}

/** `0.8 s`; `85 ms` below a tenth of a second */
export function formatDuration(ms: number): string {
  return ms < 100 ? `${count.format(Math.round(ms))} ms` : `${oneDecimal.format(ms / 1000)} s`;
}

/** `12.3`, `0.3` */
export function formatRate(perSecond: number): string {
  return perSecond >= 100 ? count.format(Math.round(perSecond)) : oneDecimal.format(perSecond);
}

/** `40 s`, `3 min`, `1 h 20 min`: for what is waited for. */
export function formatWait(seconds: number): string {
  if (seconds < 90) return `${count.format(Math.max(1, Math.round(seconds)))} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  return `${count.format(Math.floor(minutes / 60))} h ${minutes % 60} min`;
}

const percent = new Intl.NumberFormat(language, { style: 'percent', maximumFractionDigits: 0 });

/** `41%` of a share from 0 to 1; `<1%` for one that is not nothing */
export function formatPercent(share: number): string {
  return share > 0 && share < 0.005 ? `<${percent.format(0.01)}` : percent.format(share);
}

/** `62`, `-4` */
export function formatScore(value: number): string {
  return count.format(Math.round(value));
}

const upToTwoDecimals = new Intl.NumberFormat(language, { maximumFractionDigits: 2 });

/** `-1.25`, `5`: a standardized score or a rating. */
export function formatDecimal(value: number): string {
  return upToTwoDecimals.format(value);
}

const threeDigits = new Intl.NumberFormat(language, { maximumSignificantDigits: 3 });

/** `0.812`, `-3.25`, `7`: a classifier's or a judge's number. */
export function formatMeasured(value: number): string {
  return threeDigits.format(value);
}

const signed = new Intl.NumberFormat(language, { maximumSignificantDigits: 3, signDisplay: 'always' });

/** `+1.3`, `-0.02` */
export function formatGain(value: number): string {
  return signed.format(value);
}

const dateAndTime = new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'short' });

/** `Nov 25, 2026, 4:30 PM` in the visitor's time zone */
export function formatDate(ms: number): string {
  return dateAndTime.format(ms);
}

/** What stands before a name's remarks: `Demo aligner` of `Demo aligner (built in, …): shows …`. */
export function formatModelName(name: string): string {
  return name.replace(/\s*[(:].*$/s, '');
}
