// A small allocator: blocks of whole units in size classes, each with a list of free ones, from one array.
#define UNIT 16
#define CLASSES 8
static _Alignas(16) unsigned char arena[16 << 20];
static unsigned used;
static void *freed[CLASSES];

/** As if nothing had been allocated: so that every call of a kernel does the same work. */
static void start(void) {
  used = 0;
  for (int i = 0; i < CLASSES; i++) freed[i] = 0;
}

static void *allocate(unsigned length) {
  const unsigned class = (length - 1) / UNIT;
  void *block = freed[class];
  if (block != 0) {
    freed[class] = *(void **)block;
    return block;
  }
  block = &arena[used];
  used += (class + 1) * UNIT;
  if (used > sizeof arena) __builtin_trap();
  return block;
}

static void release(void *block, unsigned length) {
  const unsigned class = (length - 1) / UNIT;
  *(void **)block = freed[class];
  freed[class] = block;
}
