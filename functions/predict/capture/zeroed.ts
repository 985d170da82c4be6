/** JSON of the same form in which nothing of the values is left: 0, false, and empty texts. Keys of objects stay. */
export function zeroed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(zeroed);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, zeroed(member)]));
  }
  if (typeof value === 'number') return 0;
  if (typeof value === 'boolean') return false;
  return typeof value === 'string' ? '' : value;
}
