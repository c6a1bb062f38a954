return function(n)
  local a, b, c = {}, {}, {}
  for i = 0, n * n - 1 do
    a[i], b[i] = i % 7 + 1.0, i % 5 - 2.0
  end
  for i = 0, n - 1 do
    for j = 0, n - 1 do
      local sum = 0.0
      for k = 0, n - 1 do sum = sum + a[i * n + k] * b[k * n + j] end
      c[i * n + j] = sum
    end
  end
  local total = 0.0
  for i = 0, n * n - 1 do total = total + c[i] * (i % 3 + 1) end
  return total
end
