return function(n)
  local x, sum = 88172645463325252, 0
  for _ = 1, n do
    x = x ~ x << 13
    x = x ~ x >> 7
    x = x ~ x << 17
    sum = sum + x * 0x2545f4914f6cdd1d
  end
  return sum
end
