// Small integer arrays and unpredictable branches: for every permutation of n numbers (n at most 12), how often the first
// numbers are reversed, as many as the first one says, until it is 1. Answers the alternating sum × 100 + the maximum.
__attribute__((export_name("run"))) int run(int n) {
  int permutation[12], work[12], count[12];
  int most = 0, sum = 0, sign = 1, changed = n;
  for (int i = 0; i < n; i++) permutation[i] = i;
  for (;;) {
    for (; changed > 1; changed--) count[changed - 1] = changed;
    if (permutation[0] != 0) {
      for (int i = 0; i < n; i++) work[i] = permutation[i];
      int flips = 0;
      for (int first = work[0]; first != 0; first = work[0]) {
        for (int low = 0, high = first; low < high; low++, high--) {
          const int held = work[low];
          work[low] = work[high], work[high] = held;
        }
        flips++;
      }
      if (flips > most) most = flips;
      sum += sign * flips;
    }
    sign = -sign;
    for (changed = 1;; changed++) {
      if (changed == n) return sum * 100 + most;
      const int first = permutation[0];
      for (int i = 0; i < changed; i++) permutation[i] = permutation[i + 1];
      permutation[changed] = first;
      if (--count[changed] > 0) break;
    }
  }
}
