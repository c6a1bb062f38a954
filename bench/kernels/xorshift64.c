// 64-bit integers: n steps of Marsaglia's xorshift64 with a multiplication folded in; answers the running sum.
typedef unsigned long long u64;

__attribute__((export_name("run"))) u64 run(int n) {
  u64 x = 88172645463325252ull, sum = 0;
  for (int i = 0; i < n; i++) {
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    sum += x * 0x2545f4914f6cdd1dull;
  }
  return sum;
}
