import { z } from 'zod';
import { alignAnswer, chatAnswer, completionAnswer, errorAnswer, modelsAnswer } from './answers.ts';
import { alignBodies, alignBody, chatBody, completionBody } from './requests.ts';

const FAILURES = {
  400: 'The request cannot be met: what is wrong, and what to do',
  401: 'A key is needed, or is not known',
  413: 'The body is too large',
  415: 'The body is not JSON',
  429: 'Busy, or the key has its requests already: come again after Retry-After seconds',
  502: 'The upstream failed or cannot be reached',
  503: 'The server is being stopped, or the upstream is busy: come again after Retry-After seconds',
  504: 'The deadline passed',
};

/** OpenAPI 3.1 of the interface, from the schemas that check its requests and those of its answers. */
export function openApiDocument(version: string): object {
  const post = (
    summary: string,
    { body, answer, streams }: { body: z.ZodType; answer: z.ZodType; streams: string },
  ) => ({
    post: {
      summary,
      requestBody: {
        required: true,
        content: { 'application/json': { schema: schemaOf(body, 'input') } },
      },
      responses: {
        200: {
          description: 'The edit',
          content: {
            'application/json': { schema: schemaOf(answer, 'output') },
            'text/event-stream': { schema: { type: 'string', description: streams } },
          },
        },
        ...Object.fromEntries(
          Object.entries(FAILURES).map(([status, description]) => [
            status,
            { description, content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } } },
          ]),
        ),
      },
    },
  });
  return {
    openapi: '3.1.0',
    info: { title: 'MetaAligner', version, license: { name: 'MIT', identifier: 'MIT' } },
    paths: {
      '/v1/align': post('Rewrite an answer towards objectives, or a list of them', {
        body: z.union([alignBody, alignBodies]),
        answer: alignAnswer,
        streams:
          'edit-start, prompt-progress, edit-delta, edit-end, error; of one request, the default unless stream is false',
      }),
      '/v1/chat/completions': post('Align the last message of a conversation', {
        body: chatBody,
        answer: chatAnswer,
        streams: 'OpenAI’s chunks',
      }),
      '/v1/completions': post('Continue a prompt as it is', {
        body: completionBody,
        answer: completionAnswer,
        streams: 'OpenAI’s chunks',
      }),
      '/v1/models': {
        get: {
          summary: 'The model',
          responses: {
            200: {
              description:
                'OpenAI’s list; beside its fields max_model_len, the context length, and metaaligner: version, family, variant, device',
              content: { 'application/json': { schema: schemaOf(modelsAnswer, 'output') } },
            },
          },
        },
      },
      '/metrics': { get: { summary: 'Counts and times', responses: { 200: { description: 'Prometheus’s text' } } } },
      '/healthz': { get: { summary: 'It runs', responses: { 200: { description: 'ok' } } } },
      '/readyz': {
        get: {
          summary: 'It takes requests',
          responses: { 200: { description: 'ready' }, 503: { description: 'stopping' } },
        },
      },
    },
    // Where the server has no keys it asks for none.
    security: [{ key: [] }, {}],
    components: {
      securitySchemes: { key: { type: 'http', scheme: 'bearer' } },
      schemas: {
        Error: schemaOf(errorAnswer, 'output'),
      },
    },
  };
}

function schemaOf(type: z.ZodType, io: 'input' | 'output'): object {
  // OpenAPI 3.1 takes its schemas to be of this draft; each saying so again is nothing but length.
  const { $schema: _draft, ...schema } = z.toJSONSchema(type, { io, target: 'draft-2020-12' });
  return schema;
}
