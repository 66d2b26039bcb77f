/** Hands a file to the browser's downloads. */
export function saveFile(file: Blob, name: string): void {
  const url = URL.createObjectURL(file);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The download holds the blob by itself; revoked at once, some browsers have not looked yet.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
