function build(depth) {
  return depth === 0 ? { left: null, right: null } : { left: build(depth - 1), right: build(depth - 1) };
}

function count(node) {
  return node.left === null ? 1 : 1 + count(node.left) + count(node.right);
}

export function run(n) {
  let total = 0;
  const lasting = build(n);
  for (let depth = 4; depth <= n; depth += 2) for (let i = 0; i < 1 << (n - depth); i++) total += count(build(depth));
  return total + count(lasting);
}
