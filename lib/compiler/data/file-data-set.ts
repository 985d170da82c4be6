/** A data set made of files that hold samples, and what is known of it without decoding. */
import { createHash } from 'node:crypto';
import { dataError } from './data-error.js';
import type { DataSet, Label, Sample } from './data-set.js';
import { idsOf, type SampleFile, type SampleReader } from './sample-file.js';

interface Place {
  readonly file: SampleFile;
  readonly index: number;
}

export interface FileDataSetOptions {
  readonly carried: DataSet['carried'];
  readonly isSynthetic?: boolean;
}

export class FileDataSet implements DataSet {
  readonly ids: readonly string[];
  readonly digest: string;
  readonly isSynthetic: boolean;
  readonly carried: DataSet['carried'];
  readonly #files: ReadonlyMap<string, SampleFile>;

  /** @param ids which samples of the files, in their order. Default all. */
  constructor(files: readonly SampleFile[], options: FileDataSetOptions, ids?: readonly string[]) {
    this.#files = new Map(files.map((file) => [file.path, file]));
    this.ids = ids ?? files.flatMap(idsOf);
    this.carried = options.carried;
    this.isSynthetic = options.isSynthetic ?? false;
    this.digest = this.#digest();
  }

  async *read(ids: readonly string[] = this.ids): AsyncGenerator<Sample> {
    for await (const { id, reader, place } of this.#visit(ids)) {
      const { group } = place.file;
      yield { id, ...(await reader.read(place.index)), ...(group === undefined ? {} : { group }) };
    }
  }

  /** Labels alone, without decoding what they belong to. */
  async *labels(ids: readonly string[] = this.ids): AsyncGenerator<readonly [id: string, label: Label | undefined]> {
    for await (const { id, reader, place } of this.#visit(ids)) yield [id, await reader.label(place.index)];
  }

  /** As `Sample.group` says. */
  groupOf(id: string): string | undefined {
    return this.#place(id).file.group;
  }

  /** sha256 of the file whose only sample it is; undefined for samples that share a file. */
  fileDigest(id: string): string | undefined {
    const { file } = this.#place(id);
    return file.count === undefined ? file.digest : undefined;
  }

  /** Some of its samples, in the order of `ids`. @throws ConfigurationError DATA_ID_UNKNOWN */
  subset(ids: readonly string[]): FileDataSet {
    const files = new Set(ids.map((id) => this.#place(id).file));
    return new FileDataSet([...files], { carried: this.carried, isSynthetic: this.isSynthetic }, ids);
  }

  /** One file is open at a time: ids of one file should follow each other. */
  async *#visit(ids: readonly string[]): AsyncGenerator<{ id: string; place: Place; reader: SampleReader }> {
    let open: { readonly file: SampleFile; readonly reader: SampleReader } | undefined;
    try {
      for (const id of ids) {
        const place = this.#place(id);
        if (open?.file !== place.file) {
          await open?.reader.close();
          open = undefined;
          open = { file: place.file, reader: await place.file.open() };
        }
        yield { id, place, reader: open.reader };
      }
    } finally {
      await open?.reader.close();
    }
  }

  /** Over every id, and every file's digest where its samples begin. */
  #digest(): string {
    const hash = createHash('sha256');
    let last: SampleFile | undefined;
    for (const id of this.ids) {
      const { file } = this.#place(id);
      if (file !== last) hash.update(`${file.digest}\n`);
      hash.update(`${id}\n`);
      last = file;
    }
    return hash.digest('hex');
  }

  #place(id: string): Place {
    const whole = this.#files.get(id);
    if (whole !== undefined && whole.count === undefined) return { file: whole, index: 0 };
    const end = id.lastIndexOf('#');
    const file = this.#files.get(id.slice(0, Math.max(0, end)));
    const digits = id.slice(end + 1);
    const index = Number(digits);
    if (file?.count !== undefined && /^(0|[1-9]\d*)$/.test(digits) && index < file.count) return { file, index };
    throw dataError(
      'DATA_ID_UNKNOWN',
      `The data set has no sample ${JSON.stringify(id.slice(0, 200))}.`,
      'Take ids from `ids`.',
    );
  }
}
