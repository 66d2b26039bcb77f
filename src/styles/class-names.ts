/** Several classes for one element. Names that a style sheet does not have are left out. */
export function classNames(...names: (string | undefined)[]): string {
  return names.filter((name) => name !== undefined).join(' ');
}
