function sort(numbers, from, to) {
  let low = from;
  let high = to;
  while (high - low > 12) {
    const pivot = numbers[low + ((high - low) >> 1)];
    let i = low;
    let j = high;
    while (i <= j) {
      while (numbers[i] < pivot) i++;
      while (numbers[j] > pivot) j--;
      if (i <= j) {
        const held = numbers[i];
        numbers[i++] = numbers[j];
        numbers[j--] = held;
      }
    }
    if (j - low < high - i) {
      sort(numbers, low, j);
      low = i;
    } else {
      sort(numbers, i, high);
      high = j;
    }
  }
  for (let i = low + 1; i <= high; i++) {
    const held = numbers[i];
    let j = i - 1;
    for (; j >= low && numbers[j] > held; j--) numbers[j + 1] = numbers[j];
    numbers[j + 1] = held;
  }
}

export function run(n) {
  const numbers = new Int32Array(n);
  let seed = 42;
  for (let i = 0; i < n; i++) {
    seed = (seed * 16807) % 2147483647;
    numbers[i] = seed;
  }
  sort(numbers, 0, n - 1);
  let sum = 0;
  for (let i = 0; i < n; i++) sum = (Math.imul(sum, 31) + numbers[i]) | 0;
  return sum;
}
