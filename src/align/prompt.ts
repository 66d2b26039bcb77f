/** Model family, which names its template: `Context:`, `Query:` or `Question:`. */
export const TEMPLATE_IDS = ['hh-rlhf', 'ultrafeedback', 'imhi'] as const;
export type TemplateId = (typeof TEMPLATE_IDS)[number];
