// Not BigInt.asUintN(64, …): that of QuickJS (quickjs-emscripten 0.32.0) leaves some results negative.
const MASK = 0xffffffffffffffffn;

export function run(n) {
  let x = 88172645463325252n;
  let sum = 0n;
  for (let i = 0; i < n; i++) {
    x ^= (x << 13n) & MASK;
    x ^= x >> 7n;
    x ^= (x << 17n) & MASK;
    sum = (sum + x * 0x2545f4914f6cdd1dn) & MASK;
  }
  return BigInt.asIntN(64, sum);
}
