/** Whether a file is HDF5. */

export const HDF5_SIGNATURE = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];

export function looksLikeHdf5(head: Uint8Array): boolean {
  return HDF5_SIGNATURE.every((byte, index) => head[index] === byte);
}
