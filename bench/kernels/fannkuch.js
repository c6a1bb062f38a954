export function run(n) {
  const permutation = new Int32Array(n);
  const work = new Int32Array(n);
  const count = new Int32Array(n);
  let most = 0;
  let sum = 0;
  let sign = 1;
  let changed = n;
  for (let i = 0; i < n; i++) permutation[i] = i;
  for (;;) {
    for (; changed > 1; changed--) count[changed - 1] = changed;
    if (permutation[0] !== 0) {
      for (let i = 0; i < n; i++) work[i] = permutation[i];
      let flips = 0;
      for (let first = work[0]; first !== 0; first = work[0]) {
        for (let low = 0, high = first; low < high; low++, high--) {
          const held = work[low];
          work[low] = work[high];
          work[high] = held;
        }
        flips++;
      }
      if (flips > most) most = flips;
      sum += sign * flips;
    }
    sign = -sign;
    for (changed = 1; ; changed++) {
      if (changed === n) return sum * 100 + most;
      const first = permutation[0];
      for (let i = 0; i < changed; i++) permutation[i] = permutation[i + 1];
      permutation[changed] = first;
      if (--count[changed] > 0) break;
    }
  }
}
