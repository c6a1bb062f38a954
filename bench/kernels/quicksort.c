// Recursion over an array in memory: sorts n pseudo-random numbers, n at most 1,000,000. Answers a sum that tells their order.
static int numbers[1000000];

static void sort(int low, int high) {
  while (high - low > 12) {
    const int pivot = numbers[low + (high - low) / 2];
    int i = low, j = high;
    while (i <= j) {
      while (numbers[i] < pivot) i++;
      while (numbers[j] > pivot) j--;
      if (i <= j) {
        const int held = numbers[i];
        numbers[i++] = numbers[j], numbers[j--] = held;
      }
    }
    if (j - low < high - i) sort(low, j), low = i;
    else sort(i, high), high = j;
  }
  for (int i = low + 1; i <= high; i++) {
    const int held = numbers[i];
    int j = i - 1;
    for (; j >= low && numbers[j] > held; j--) numbers[j + 1] = numbers[j];
    numbers[j + 1] = held;
  }
}

__attribute__((export_name("run"))) int run(int n) {
  unsigned long long seed = 42;
  for (int i = 0; i < n; i++) {
    seed = seed * 16807 % 2147483647;
    numbers[i] = (int)seed;
  }
  sort(0, n - 1);
  unsigned sum = 0;
  for (int i = 0; i < n; i++) sum = sum * 31 + (unsigned)numbers[i];
  return (int)sum;
}
