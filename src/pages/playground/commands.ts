/** The commands that bring a published checkpoint here. They belong to the CLI, not to a language. */

function folderName(hubId: string): string {
  return hubId.slice(hubId.indexOf('/') + 1);
}

export function downloadCommand(hubId: string): string {
  return `hf download ${hubId} --local-dir ${folderName(hubId)}`;
}

export function convertCommand(hubId: string): string {
  const name = folderName(hubId);
  return `npm run -s metaaligner -- convert --from ${name} --to models/${name}`;
}
