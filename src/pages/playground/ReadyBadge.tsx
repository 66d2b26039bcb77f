import { strings } from '../../strings.ts';
import controls from '../../styles/controls.module.css';
import type { ConvertedModel } from '../../worker-client/model-library.ts';

/** A model can be loaded at once, and how much that reads at least. */
export function ReadyBadge({ model: { variants } }: { model: ConvertedModel }) {
  const leastBytes = Math.min(...variants.map(({ sizeBytes }) => sizeBytes));
  return (
    <span className={controls.badge}>
      {variants.length > 1 ? strings.model.readyFrom(leastBytes) : strings.model.ready(leastBytes)}
    </span>
  );
}
