import type { TargetFile, TargetFolder } from '../byte-source.ts';
import type { ManifestFile } from '../manifest.ts';
import type { DataPlacement, ExternalInitializer } from './graph-builder.ts';

/** Writes the tensors of one graph into its data files, in the order of their declaration, each in full. */
export class DataWriter {
  readonly #target: TargetFolder;
  readonly #tensors: readonly ExternalInitializer[];
  readonly #placements: readonly DataPlacement[];
  readonly #paths: readonly string[];
  readonly #written: ManifestFile[] = [];
  #file: TargetFile | undefined;
  #position = 0;
  #index = -1;
  #restBytes = 0;

  static async open(
    target: TargetFolder,
    tensors: readonly ExternalInitializer[],
    placements: readonly DataPlacement[],
    paths: readonly string[],
  ): Promise<DataWriter> {
    const writer = new DataWriter(target, tensors, placements, paths);
    await writer.#nextFile();
    return writer;
  }

  private constructor(
    target: TargetFolder,
    tensors: readonly ExternalInitializer[],
    placements: readonly DataPlacement[],
    paths: readonly string[],
  ) {
    this.#target = target;
    this.#tensors = tensors;
    this.#placements = placements;
    this.#paths = paths;
  }

  /** @param name  of the next tensor; guards the order */
  async begin(name: string): Promise<void> {
    this.#index += 1;
    const tensor = this.#tensors[this.#index];
    const placement = this.#placements[this.#index];
    if (tensor?.name !== name || placement === undefined || this.#restBytes !== 0) {
      throw new Error(
        `Tensor ${name} is out of order, or ${this.#restBytes} bytes before it are missing; this is a bug.`,
      );
    }
    if (placement.fileIndex !== this.#written.length) {
      await this.#closeFile();
      await this.#nextFile();
    }
    const padding = placement.offset - this.#position;
    if (padding > 0) await this.#append(new Uint8Array(padding));
    this.#restBytes = tensor.sizeBytes;
  }

  /** A property, so that it can be handed on as a sink. */
  readonly write = async (bytes: Uint8Array): Promise<void> => {
    this.#restBytes -= bytes.length;
    if (this.#restBytes < 0) throw new Error(`${-this.#restBytes} bytes too many were written; this is a bug.`);
    await this.#append(bytes);
  };

  async close(): Promise<ManifestFile[]> {
    if (this.#index + 1 !== this.#tensors.length || this.#restBytes !== 0) {
      throw new Error('Not all tensors were written; this is a bug.');
    }
    await this.#closeFile();
    return this.#written;
  }

  /** The file that is open; files that were closed stay, unreferenced by a manifest. */
  async abort(): Promise<void> {
    await this.#file?.abort();
    this.#file = undefined;
  }

  async #append(bytes: Uint8Array): Promise<void> {
    if (this.#file === undefined) throw new Error('No data file is open; this is a bug.');
    await this.#file.write(bytes);
    this.#position += bytes.length;
  }

  async #nextFile(): Promise<void> {
    this.#file = await this.#target.create(this.#paths[this.#written.length] ?? '');
    this.#position = 0;
  }

  async #closeFile(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
    this.#written.push({ path: this.#paths[this.#written.length] ?? '', sizeBytes: this.#position });
  }
}
