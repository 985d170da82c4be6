/**
 * libjpeg-turbo as WebAssembly, from @cwasm/jpeg-turbo (MIT; 139 kB, no JavaScript but its wrapper). Of what decodes JPEG without native
 * code, mozjpeg's build (@jsquash/jpeg) is as fast and needs 36 kB of glue more, jpeg-js takes six times as long; and only here do the bare
 * functions decode at a fraction of the size, in a quarter of the time. The package's own wrapper is not used: it leaks memory on every
 * file that it cannot decode.
 *
 * The file is found as Node finds packages: a bundle needs node_modules/@cwasm/jpeg-turbo/jpeg-turbo.wasm beside it.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { damagedPicture } from './picture.js';

/** TJPF_* of turbojpeg.h with the bytes of a pixel. */
const PIXEL_FORMATS = { rgb: { code: 0, bytes: 3 }, cmyk: { code: 11, bytes: 4 } } as const;

interface JpegTurbo {
  readonly memory: { readonly buffer: ArrayBuffer };
  malloc(bytes: number): number;
  tjInitDecompress(): number;
  tjDecompress2(
    handle: number,
    source: number,
    sourceBytes: number,
    target: number,
    width: number,
    pitch: number,
    height: number,
    pixelFormat: number,
    flags: number,
  ): number;
}

/** What is used of WebAssembly: @types/node describes none of it. */
interface WebAssemblyInterface {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
}

const webAssembly = (globalThis as unknown as { readonly WebAssembly: WebAssemblyInterface }).WebAssembly;

const refuse = () => {
  throw new Error('libjpeg-turbo met an error');
};

/** libjpeg-turbo leaves by longjmp when it meets an error it cannot pass over; here that ends the instance. */
const imports = {
  env: { setjmp: () => 0, longjmp: refuse },
  wasi_snapshot_preview1: {
    environ_sizes_get: () => 0,
    environ_get: refuse,
    proc_exit: refuse,
    fd_close: refuse,
    fd_seek: refuse,
    fd_write: refuse,
  },
};

let compiled: object | undefined;

/** Compiles on first use, about 5 ms; call it while a function starts. */
export function loadJpegTurbo(): object {
  compiled ??= new webAssembly.Module(
    readFileSync(createRequire(`${import.meta.dirname}/`).resolve('@cwasm/jpeg-turbo/jpeg-turbo.wasm')),
  );
  return compiled;
}

/**
 * Decodes to `width` x `height`, which must be the size of the file times n/8. Each call has an instance of its own: what a hostile file
 * leaves in its memory ends with it, and so does the memory.
 * @throws RequestError 400 PICTURE_DAMAGED, also for what libjpeg-turbo only warns about: part of such a picture is made up
 */
export function decodeWithJpegTurbo(
  bytes: Uint8Array,
  { width, height, format }: { readonly width: number; readonly height: number; readonly format: 'rgb' | 'cmyk' },
): Uint8Array {
  const { code, bytes: pixelBytes } = PIXEL_FORMATS[format];
  let turbo: JpegTurbo;
  let target: number;
  let status: number;
  try {
    turbo = new webAssembly.Instance(loadJpegTurbo(), imports).exports as JpegTurbo;
    const source = turbo.malloc(bytes.length);
    target = turbo.malloc(width * height * pixelBytes);
    const handle = turbo.tjInitDecompress();
    if (source === 0 || target === 0 || handle === 0) throw new Error('no memory');
    new Uint8Array(turbo.memory.buffer, source, bytes.length).set(bytes);
    status = turbo.tjDecompress2(handle, source, bytes.length, target, width, width * pixelBytes, height, code, 0);
  } catch (cause) {
    throw damagedPicture('JPEG', 'its data is corrupt', cause);
  }
  if (status !== 0) throw damagedPicture('JPEG', 'its data is corrupt or cut off');
  // A copy, so that the instance's memory can go.
  return new Uint8Array(turbo.memory.buffer, target, width * height * pixelBytes).slice();
}
