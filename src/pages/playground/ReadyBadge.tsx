import { hostOfModel } from '../../state/server-slice.ts';
import { strings } from '../../strings.ts';
import controls from '../../styles/controls.module.css';
import type { ConvertedModel } from '../../worker-client/model-library.ts';

/** A model can be loaded at once, and how much that reads at least; or where it runs. */
export function ReadyBadge({ model }: { model: ConvertedModel }) {
  const host = hostOfModel(model);
  if (host !== undefined) return <span className={controls.badge}>{strings.server.badge(host)}</span>;
  const { variants } = model;
  const leastBytes = Math.min(...variants.map(({ sizeBytes }) => sizeBytes));
  return (
    <span className={controls.badge}>
      {variants.length > 1 ? strings.model.readyFrom(leastBytes) : strings.model.ready(leastBytes)}
    </span>
  );
}
