/** The command that brings a published checkpoint here. It belongs to the CLI, not to a language. */
export function pullCommand(hubId: string): string {
  const name = hubId.slice(hubId.indexOf('/') + 1);
  return `npm run -s metaaligner -- pull ${hubId} --to models/${name}`;
}
