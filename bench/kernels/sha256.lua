local K = {
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
}

local function block(state, w)
  for i = 16, 63 do
    local x, y = w[i - 15], w[i - 2]
    local s0 = ((x >> 7) | (x << 25 & 0xffffffff)) ~ ((x >> 18) | (x << 14 & 0xffffffff)) ~ (x >> 3)
    local s1 = ((y >> 17) | (y << 15 & 0xffffffff)) ~ ((y >> 19) | (y << 13 & 0xffffffff)) ~ (y >> 10)
    w[i] = (w[i - 16] + s0 + w[i - 7] + s1) & 0xffffffff
  end
  local a, b, c, d, e, f, g, h = state[1], state[2], state[3], state[4], state[5], state[6], state[7], state[8]
  for i = 0, 63 do
    local s1 = ((e >> 6) | (e << 26 & 0xffffffff)) ~ ((e >> 11) | (e << 21 & 0xffffffff)) ~ ((e >> 25) | (e << 7 & 0xffffffff))
    local choice = (e & f) ~ ((~e & 0xffffffff) & g)
    local t1 = h + s1 + choice + K[i + 1] + w[i]
    local s0 = ((a >> 2) | (a << 30 & 0xffffffff)) ~ ((a >> 13) | (a << 19 & 0xffffffff)) ~ ((a >> 22) | (a << 10 & 0xffffffff))
    local majority = (a & b) ~ (a & c) ~ (b & c)
    h, g, f, e, d, c, b, a = g, f, e, (d + t1) & 0xffffffff, c, b, a, (t1 + s0 + majority) & 0xffffffff
  end
  state[1] = (state[1] + a) & 0xffffffff
  state[2] = (state[2] + b) & 0xffffffff
  state[3] = (state[3] + c) & 0xffffffff
  state[4] = (state[4] + d) & 0xffffffff
  state[5] = (state[5] + e) & 0xffffffff
  state[6] = (state[6] + f) & 0xffffffff
  state[7] = (state[7] + g) & 0xffffffff
  state[8] = (state[8] + h) & 0xffffffff
end

return function(n)
  local w = {}
  local state = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
  }
  for b = 0, n - 1 do
    for i = 0, 15 do
      w[i] = b * 16 + i
    end
    block(state, w)
  end
  return state[1] < 0x80000000 and state[1] or state[1] - 0x100000000
end
