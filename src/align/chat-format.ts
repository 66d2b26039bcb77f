/** How a model wants its chats. */
export interface ChatFormat {
  /** Jinja; undefined where the model has none: it is asked in the bare text. */
  template: string | undefined;
  /** Parsed tokenizer_config.json. */
  tokenizerConfig: Readonly<Record<string, unknown>>;
}

/** @returns the template; undefined where the model has none */
export function chatTemplateOf(tokenizerConfig: Readonly<Record<string, unknown>>): string | undefined {
  const { chat_template: template } = tokenizerConfig;
  if (typeof template === 'string') return template;
  if (!Array.isArray(template)) return undefined;
  const named = template as { name?: unknown; template?: unknown }[];
  const found = named.find(({ name }) => name === 'default')?.template;
  return typeof found === 'string' ? found : undefined;
}
