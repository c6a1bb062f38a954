local bit = require("bit")
local bxor, lshift, rshift = bit.bxor, bit.lshift, bit.rshift

return function(n)
  local x, sum = 88172645463325252ULL, 0ULL
  for _ = 1, n do
    x = bxor(x, lshift(x, 13))
    x = bxor(x, rshift(x, 7))
    x = bxor(x, lshift(x, 17))
    sum = sum + x * 0x2545f4914f6cdd1dULL
  end
  return require("ffi").cast("int64_t", sum)
end
