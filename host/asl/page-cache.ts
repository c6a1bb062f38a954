/** Pages of segments in memory, within a budget. Which goes when room is needed, a clock says: one that was not used since its last round. */
import { PAGE_BYTES, PAGE_WORDS } from "./segment-format.ts";

/** What has pages. */
export interface PagedFile {
  /** For a page its place in the cache plus one, or 0. */
  readonly frames: Int32Array;
  /** Reads a page to `words[at]`, and verifies it. Throws ASL-INDEX-DAMAGED or ASL-READ. */
  readPage(page: number, words: Uint32Array, bytes: Uint8Array, at: number): void;
}

/** Pages that there is always room for. */
const FEWEST_FRAMES = 16;
/** Memory is taken in slabs of so many pages: small stores need few. */
const SLAB_BITS = 7;
const SLAB_FRAMES = 2 ** SLAB_BITS;

export class PageCache {
  /** The page that {@link load} was asked for begins at `base` of `words`. Valid until the next load. */
  words: Uint32Array = new Uint32Array(0);
  base = 0;
  /** Where in these words the row is that was looked for. */
  at = 0;
  loads = 0;
  #limit = 0;
  #used = 0;
  #hand = 0;
  readonly #slabs: Uint32Array[] = [];
  readonly #bytes: Uint8Array[] = [];
  readonly #owners: (PagedFile | undefined)[] = [];
  #pages = new Int32Array(FEWEST_FRAMES);
  #wasUsed = new Uint8Array(FEWEST_FRAMES);

  constructor(budgetBytes: number) {
    this.setBudget(budgetBytes);
  }
  /** Pages that there is no room for any more are forgotten. */
  setBudget(bytes: number): void {
    const limit = Math.max(FEWEST_FRAMES, Math.floor(bytes / PAGE_BYTES));
    if (limit === this.#limit) return;
    // A last slab that is smaller than others has no room for more.
    const isShort = this.#slabs.length > 0 && this.#slabs.at(-1)!.length < SLAB_FRAMES * PAGE_WORDS;
    const kept = isShort ? 0 : Math.min(limit, this.#used);
    for (let frame = kept; frame < this.#used; frame++) this.#evict(frame);
    this.#used = kept;
    this.#owners.length = Math.min(this.#owners.length, kept);
    this.#slabs.length = Math.min(this.#slabs.length, Math.ceil(kept / SLAB_FRAMES));
    this.#bytes.length = this.#slabs.length;
    this.#limit = limit;
    this.#hand = 0;
  }
  get bytes(): number {
    return this.#slabs.reduce((sum, slab) => sum + slab.byteLength, 0);
  }

  load(file: PagedFile, page: number): void {
    const frame = file.frames[page]! - 1;
    if (frame < 0) {
      this.#read(file, page);
      return;
    }
    this.#wasUsed[frame] = 1;
    this.words = this.#slabs[frame >>> SLAB_BITS]!;
    this.base = (frame & (SLAB_FRAMES - 1)) * PAGE_WORDS;
  }
  #read(file: PagedFile, page: number): void {
    const frame = this.#used < this.#limit ? this.#used++ : this.#free();
    if (frame === this.#pages.length) this.#grow();
    const slab = frame >>> SLAB_BITS;
    if (slab === this.#slabs.length) {
      const words = new Uint32Array(Math.min(SLAB_FRAMES, this.#limit - slab * SLAB_FRAMES) * PAGE_WORDS);
      this.#slabs.push(words);
      this.#bytes.push(new Uint8Array(words.buffer));
    }
    const words = this.#slabs[slab]!;
    const base = (frame & (SLAB_FRAMES - 1)) * PAGE_WORDS;
    this.#owners[frame] = undefined;
    this.loads++;
    file.readPage(page, words, this.#bytes[slab]!, base);
    this.#owners[frame] = file;
    this.#pages[frame] = page;
    this.#wasUsed[frame] = 0;
    file.frames[page] = frame + 1;
    this.words = words;
    this.base = base;
  }
  #grow(): void {
    const room = Math.min(this.#limit, 2 * this.#pages.length);
    const pages = new Int32Array(room);
    pages.set(this.#pages);
    this.#pages = pages;
    const wasUsed = new Uint8Array(room);
    wasUsed.set(this.#wasUsed);
    this.#wasUsed = wasUsed;
  }
  #free(): number {
    for (;;) {
      const frame = this.#hand;
      this.#hand = frame + 1 === this.#limit ? 0 : frame + 1;
      if (this.#wasUsed[frame] === 0) {
        this.#evict(frame);
        return frame;
      }
      this.#wasUsed[frame] = 0;
    }
  }
  #evict(frame: number): void {
    const owner = this.#owners[frame];
    if (owner !== undefined) owner.frames[this.#pages[frame]!] = 0;
    this.#owners[frame] = undefined;
    this.#wasUsed[frame] = 0;
  }
  /** Forgets the pages of a file. */
  forget(file: PagedFile): void {
    const { frames } = file;
    for (let page = 0; page < frames.length; page++) if (frames[page]! > 0) this.#evict(frames[page]! - 1);
  }
}
