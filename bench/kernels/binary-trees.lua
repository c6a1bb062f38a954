local function build(depth)
  if depth == 0 then return { left = false, right = false } end
  return { left = build(depth - 1), right = build(depth - 1) }
end

local function count(node)
  if not node.left then return 1 end
  return 1 + count(node.left) + count(node.right)
end

return function(n)
  local total = 0
  local lasting = build(n)
  for depth = 4, n, 2 do
    for _ = 1, 2 ^ (n - depth) do total = total + count(build(depth)) end
  end
  return total + count(lasting)
end
