/** The Keras that wrote a file: '3.15.1', '2.4.0', '2.2.4-tf'. */
export function kerasMajorVersion(text: unknown, fallback: 1 | 2 | 3): 1 | 2 | 3 {
  const major = typeof text === 'string' ? Number.parseInt(text, 10) : Number.NaN;
  return major === 1 || major === 2 || major === 3 ? major : fallback;
}
