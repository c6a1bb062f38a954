// Bytes, branches, recursion and allocation: writes a JSON text of 200 records, parses it n times into a tree, and hashes it.
#include "allocate.h"

typedef unsigned char u8;
enum kind { NONE, FALSE, TRUE, NUMBER, STRING, ARRAY, OBJECT };

/** A value; of an array or object the first of its members, each pointing to the next. */
struct value {
  struct value *next, *first;
  /** In an object the member's name; UTF-8. */
  u8 *name, *string;
  double number;
  int nameLength, length;
  enum kind kind;
};

static u8 text[1 << 16];
static int length, at;

static void put(const char *string) {
  while (*string != 0) text[length++] = (u8)*string++;
}

static void putNumber(int number) {
  if (number >= 10) putNumber(number / 10);
  text[length++] = (u8)('0' + number % 10);
}

static void write(void) {
  length = 0;
  put("[");
  for (int i = 0; i < 200; i++) {
    put(i == 0 ? "{\"id\": " : ",\n {\"id\": ");
    putNumber(i * 37);
    put(", \"name\": \"record \\\"");
    putNumber(i);
    put("\\\"\\n\", \"price\": -");
    putNumber(i * 7);
    put(".");
    putNumber(i % 10);
    put("5, \"tags\": [\"red\", \"green\", ");
    put(i % 3 == 0 ? "true" : i % 3 == 1 ? "false" : "null");
    put(", 1e3], \"place\": {\"x\": ");
    putNumber(i % 13);
    put(", \"y\": [], \"z\": {}}}");
  }
  put("]");
}

static void space(void) {
  while (text[at] == ' ' || text[at] == '\n') at++;
}

static void expect(u8 byte) {
  if (text[at++] != byte) __builtin_trap();
}

static void word(const char *rest) {
  while (*rest != 0) expect((u8)*rest++);
}

static u8 *parseString(int *stringLength) {
  u8 buffer[64];
  int count = 0;
  expect('"');
  while (text[at] != '"') {
    u8 byte = text[at++];
    if (byte == '\\') {
      byte = text[at++];
      if (byte == 'n') byte = '\n';
      else if (byte == 't') byte = '\t';
    }
    if (count == 64) __builtin_trap();
    buffer[count++] = byte;
  }
  at++;
  u8 *string = count == 0 ? 0 : allocate((unsigned)count);
  for (int i = 0; i < count; i++) string[i] = buffer[i];
  *stringLength = count;
  return string;
}

static double parseNumber(void) {
  const int negative = text[at] == '-';
  if (negative) at++;
  double mantissa = 0;
  int exponent = 0;
  while (text[at] >= '0' && text[at] <= '9') mantissa = mantissa * 10 + (text[at++] - '0');
  if (text[at] == '.') {
    at++;
    for (; text[at] >= '0' && text[at] <= '9'; exponent--) mantissa = mantissa * 10 + (text[at++] - '0');
  }
  if (text[at] == 'e') {
    at++;
    int digits = 0;
    while (text[at] >= '0' && text[at] <= '9') digits = digits * 10 + (text[at++] - '0');
    exponent += digits;
  }
  for (; exponent > 0; exponent--) mantissa *= 10;
  for (; exponent < 0; exponent++) mantissa /= 10;
  return negative ? -mantissa : mantissa;
}

static struct value *parse(void) {
  struct value *value = allocate(sizeof(struct value));
  value->next = value->first = 0;
  value->name = value->string = 0;
  value->nameLength = value->length = 0;
  value->number = 0;
  space();
  switch (text[at]) {
    case '{':
    case '[': {
      const int object = text[at++] == '{';
      value->kind = object ? OBJECT : ARRAY;
      struct value **last = &value->first;
      space();
      if (text[at] != (object ? '}' : ']'))
        for (;;) {
          u8 *name = 0;
          int nameLength = 0;
          space();
          if (object) {
            name = parseString(&nameLength);
            space();
            expect(':');
          }
          struct value *member = parse();
          member->name = name, member->nameLength = nameLength;
          *last = member, last = &member->next;
          space();
          if (text[at] != ',') break;
          at++;
        }
      expect(object ? '}' : ']');
      break;
    }
    case '"':
      value->kind = STRING;
      value->string = parseString(&value->length);
      break;
    case 't':
      value->kind = TRUE;
      word("true");
      break;
    case 'f':
      value->kind = FALSE;
      word("false");
      break;
    case 'n':
      value->kind = NONE;
      word("null");
      break;
    default:
      value->kind = NUMBER;
      value->number = parseNumber();
  }
  return value;
}

static unsigned hashBytes(unsigned hash, const u8 *bytes, int count) {
  for (int i = 0; i < count; i++) hash = hash * 31 + bytes[i];
  return hash;
}

static unsigned hashOf(const struct value *value, unsigned hash) {
  hash = hash * 31 + value->kind;
  if (value->kind == NUMBER) hash = hash * 31 + (unsigned)(int)(value->number * 100);
  hash = hashBytes(hash, value->string, value->length);
  for (const struct value *member = value->first; member != 0; member = member->next) {
    hash = hashBytes(hash, member->name, member->nameLength);
    hash = hashOf(member, hash);
  }
  return hash;
}

static void destroy(struct value *value) {
  for (struct value *member = value->first; member != 0;) {
    struct value *next = member->next;
    destroy(member);
    member = next;
  }
  if (value->nameLength > 0) release(value->name, (unsigned)value->nameLength);
  if (value->length > 0) release(value->string, (unsigned)value->length);
  release(value, sizeof(struct value));
}

__attribute__((export_name("run"))) int run(int n) {
  start();
  write();
  unsigned hash = 0;
  for (int i = 0; i < n; i++) {
    at = 0;
    struct value *value = parse();
    hash = hashOf(value, hash);
    destroy(value);
  }
  return (int)hash;
}
