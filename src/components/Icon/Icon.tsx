import styles from './Icon.module.css';

/** Outlines on a 16 by 16 grid, drawn with the text's colour. */
const PATHS = {
  check: 'M3 8.5 6.5 12 13 4.5',
  close: 'M4 4l8 8M12 4l-8 8',
  up: 'M8 13V3M3.5 7.5 8 3l4.5 4.5',
  down: 'M8 3v10M3.5 8.5 8 13l4.5-4.5',
  grip: 'M6 4v.01M10 4v.01M6 8v.01M10 8v.01M6 12v.01M10 12v.01',
  plus: 'M8 3v10M3 8h10',
  copy: 'M6 6h7v7H6zM10 6V3H3v7h3',
  folder: 'M2 4h4l1.5 1.5H14V13H2z',
  lock: 'M3.5 7.5h9v6h-9zM5.5 7.5V5a2.5 2.5 0 0 1 5 0v2.5',
  sun: 'M8 5.25a2.75 2.75 0 1 1 0 5.5 2.75 2.75 0 0 1 0-5.5M8 1.5v1M8 13.5v1M1.5 8h1M13.5 8h1M3.4 3.4l.7.7M11.9 11.9l.7.7M3.4 12.6l.7-.7M11.9 4.1l.7-.7',
  moon: 'M13.2 9.6A5.6 5.6 0 0 1 6.4 2.8a5.6 5.6 0 1 0 6.8 6.8z',
  screen: 'M2 3h12v8.5H2zM6 14h4',
  stop: 'M4 4h8v8H4z',
  alert: 'M8 2 14.5 13.5h-13zM8 6.5v3M8 11.6v.01',
  info: 'M8 1.75a6.25 6.25 0 1 1 0 12.5 6.25 6.25 0 0 1 0-12.5M8 7.5v3.5M8 5v.01',
  pen: 'M10.5 3 13 5.5 5.5 13H3v-2.5zM9 4.5 11.5 7',
  save: 'M8 2.5v7M4.5 6.5 8 10l3.5-3.5M3 13h10',
  link: 'M6.5 9.5l3-3M7 4.5l1-1a3 3 0 0 1 4.5 4.5l-1 1M9 11.5l-1 1A3 3 0 0 1 3.5 8l1-1',
  pin: 'M8 9.5V14M5 2.5h6M6 2.5v4L4 9.5h8l-2-3v-4',
  grid: 'M2.5 2.5h11v11h-11zM2.5 7h11M7 2.5v11',
  server: 'M2.5 3h11v4h-11zM2.5 9h11v4h-11zM5 5v.01M5 11v.01',
  reply: 'M6.5 4 3 7.5 6.5 11M3 7.5h6.5a3.5 3.5 0 0 1 3.5 3.5v1',
} as const;

export type IconName = keyof typeof PATHS;

/** Decoration: whatever it stands for is said in words beside it or in the control's label. */
export function Icon({ name }: { name: IconName }) {
  return (
    <svg className={styles.icon} viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
