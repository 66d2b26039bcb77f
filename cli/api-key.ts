/** The variables that hold an endpoint's key, so that it stands in no shell history. The first that is set counts. */
const KEY_VARIABLES = ['METAALIGNER_API_KEY', 'OPENAI_API_KEY'];

/** For the help of an option that takes an address. */
export const ENDPOINT_HELP = `OpenAI-compatible, as http://127.0.0.1:8000/v1; key in ${KEY_VARIABLES.join(' or ')}`;

export function readApiKey(): string | undefined {
  return KEY_VARIABLES.map((name) => process.env[name]).find((key) => key !== undefined && key !== '');
}
