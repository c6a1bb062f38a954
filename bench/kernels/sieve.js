export function run(n) {
  const composite = new Uint8Array(n);
  let primes = 0;
  for (let i = 2; i < n; i++) {
    if (composite[i]) continue;
    primes++;
    for (let j = 2 * i; j < n; j += i) composite[j] = 1;
  }
  return primes;
}
