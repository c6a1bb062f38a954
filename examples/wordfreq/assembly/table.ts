/** How often each word was met: a hash table over the words' bytes, so that meeting a known word allocates nothing. */
export class Word {
  count: i32 = 0;
  /** The next word of the same bucket. */
  next: Word | null = null;
  constructor(
    readonly utf8: Uint8Array,
    readonly hash: u32,
  ) {}
}

export class WordTable {
  readonly words: Word[] = [];
  total: i32 = 0;
  /** As many as a power of two. */
  private buckets: StaticArray<Word | null> = new StaticArray<Word | null>(1024);

  /** Counts the word in the first `length` bytes of `utf8`. */
  add(utf8: Uint8Array, length: i32): void {
    const hash = hashOf(utf8, length);
    let word = this.buckets[hash & (this.buckets.length - 1)];
    while (word != null && !(word.hash == hash && isSame(word.utf8, utf8, length))) word = word.next;
    if (word == null) {
      if (this.words.length == this.buckets.length) this.grow();
      word = new Word(utf8.slice(0, length), hash);
      this.words.push(word);
      this.enter(word);
    }
    word.count++;
    this.total++;
  }

  private enter(word: Word): void {
    const bucket = word.hash & (this.buckets.length - 1);
    word.next = this.buckets[bucket];
    this.buckets[bucket] = word;
  }

  private grow(): void {
    this.buckets = new StaticArray<Word | null>(2 * this.buckets.length);
    for (let k = 0; k < this.words.length; k++) this.enter(this.words[k]);
  }
}

function isSame(known: Uint8Array, utf8: Uint8Array, length: i32): bool {
  return known.length == length && memory.compare(known.dataStart, utf8.dataStart, length) == 0;
}

/** FNV-1a. */
function hashOf(utf8: Uint8Array, length: i32): u32 {
  let hash: u32 = 0x811c9dc5;
  for (let k = 0; k < length; k++) hash = (hash ^ unchecked(utf8[k])) * 0x01000193;
  return hash;
}
