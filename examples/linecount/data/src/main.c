#include <stdio.h>

int main(void) {
  puts("A line that is longer than any other line in the folder, by a good deal of characters.");
  return 0;
}
