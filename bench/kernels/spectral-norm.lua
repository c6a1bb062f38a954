local function element(i, j)
  return 1.0 / ((i + j) * (i + j + 1) / 2 + i + 1)
end

local function multiply(n, from, to)
  for i = 0, n - 1 do
    local sum = 0.0
    for j = 0, n - 1 do sum = sum + element(i, j) * from[j] end
    to[i] = sum
  end
end

local function multiply_transposed(n, from, to)
  for i = 0, n - 1 do
    local sum = 0.0
    for j = 0, n - 1 do sum = sum + element(j, i) * from[j] end
    to[i] = sum
  end
end

return function(n)
  local u, v, w = {}, {}, {}
  for i = 0, n - 1 do u[i] = 1.0 end
  for _ = 1, 10 do
    multiply(n, u, w)
    multiply_transposed(n, w, v)
    multiply(n, v, w)
    multiply_transposed(n, w, u)
  end
  local uv, vv = 0.0, 0.0
  for i = 0, n - 1 do
    uv = uv + u[i] * v[i]
    vv = vv + v[i] * v[i]
  end
  return math.floor(math.sqrt(uv / vv) * 1073741824.0)
end
