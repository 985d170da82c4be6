/** A data set made of files that hold samples, and what is known of it without decoding. */
import { sha256 } from '../../artifact/digest.js';
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
  readonly #places: ReadonlyMap<string, Place>;

  /** @param ids which samples of the files, in their order. Default all. */
  constructor(files: readonly SampleFile[], options: FileDataSetOptions, ids?: readonly string[]) {
    const places = new Map<string, Place>();
    for (const file of files) for (const [index, id] of idsOf(file).entries()) places.set(id, { file, index });
    this.ids = ids ?? [...places.keys()];
    this.#places = places;
    this.carried = options.carried;
    this.isSynthetic = options.isSynthetic ?? false;
    const known = this.ids.map((id) => [id, this.#place(id).file.digest].join('\0'));
    this.digest = sha256(known.join('\n'));
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

  #place(id: string): Place {
    const place = this.#places.get(id);
    if (place !== undefined) return place;
    throw dataError(
      'DATA_ID_UNKNOWN',
      `The data set has no sample ${JSON.stringify(id.slice(0, 200))}.`,
      'Take ids from `ids`.',
    );
  }
}
