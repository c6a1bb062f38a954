-- Real work, a few seconds with an argument of 10, in files too: objects, strings, tables, floats, closures, errors, coroutines.
local scale = tonumber(arg[1])

-- A parser of expressions, over text that is made by rule; errors in it are caught.
local function parse(text)
  local at = 1
  local sum
  local function item()
    local number, next = text:match("^(%d+)()", at)
    if number then at = next; return tonumber(number) end
    if text:sub(at, at) ~= "(" then error({ at = at }) end
    at = at + 1
    local value = sum()
    if text:sub(at, at) ~= ")" then error({ at = at }) end
    at = at + 1
    return value
  end
  local function product()
    local value = item()
    while text:find("^[*%%]", at) do
      local operator = text:sub(at, at)
      at = at + 1
      local other = item()
      if operator == "*" then value = value * other % 1000003 else value = value % (other + 1) end
    end
    return value
  end
  function sum()
    local value = product()
    while text:find("^[+-]", at) do
      local operator = text:sub(at, at)
      at = at + 1
      value = operator == "+" and value + product() or value - product()
    end
    return value
  end
  local value = sum()
  if at <= #text then error({ at = at }) end
  return value
end
local total, wrong = 0, 0
for k = 1, 2000 * scale do
  local text = string.format("%d*(%d+%d%%%d)-(%d*%d", k, k % 17, k % 13, k % 7, k % 5, k % 3) .. (k % 10 == 0 and "" or ")")
  local ok, value = pcall(parse, text)
  if ok then total = total + value else wrong = wrong + value.at end
end
print("parser", total, wrong)

-- Queens, by coroutines that go through all solutions.
local function queens(n)
  local columns, up, down = {}, {}, {}
  local function place(row)
    if row > n then coroutine.yield() return end
    for column = 1, n do
      if not (columns[column] or up[row + column] or down[row - column]) then
        columns[column], up[row + column], down[row - column] = true, true, true
        place(row + 1)
        columns[column], up[row + column], down[row - column] = nil, nil, nil
      end
    end
  end
  return coroutine.wrap(function() place(1) end)
end
local solutions = 0
for _ = 1, scale do
  local size = scale < 3 and 5 or 8
  local walk = queens(size)
  for _ = 1, size == 5 and 10 or 92 do walk(); solutions = solutions + 1 end
end
print("queens", solutions)

-- Bodies that attract each other.
local bodies = {}
for k = 1, 5 do bodies[k] = { x = math.sin(k), y = math.cos(k), z = k / 7, u = 0, v = 0, w = 0, mass = 1 / k } end
for _ = 1, 4000 * scale do
  for i = 1, #bodies do
    local a = bodies[i]
    for j = i + 1, #bodies do
      local b = bodies[j]
      local dx, dy, dz = a.x - b.x, a.y - b.y, a.z - b.z
      local square = dx * dx + dy * dy + dz * dz + 0.01
      local force = 0.001 / (square * math.sqrt(square))
      a.u, a.v, a.w = a.u - dx * b.mass * force, a.v - dy * b.mass * force, a.w - dz * b.mass * force
      b.u, b.v, b.w = b.u + dx * a.mass * force, b.v + dy * a.mass * force, b.w + dz * a.mass * force
    end
  end
  for _, body in ipairs(bodies) do
    body.x, body.y, body.z = body.x + 0.01 * body.u, body.y + 0.01 * body.v, body.z + 0.01 * body.w
  end
end
for k, body in ipairs(bodies) do print("body", k, string.format("%.10f %.10f %.10f", body.x, body.y, body.z)) end

-- Words, written to a file, read back, counted and sorted.
local random = 12345
local function roll(n)
  random = (random * 1103515245 + 12345) & 0x7fffffff
  return (random >> 8) % n
end
local file <const> = assert(io.open("words.txt", "w"))
for _ = 1, 2000 * scale do
  local letters = {}
  for k = 1, 2 + roll(3) do letters[k] = string.char(97 + roll(26)) end
  file:write(table.concat(letters), roll(8) == 0 and "\n" or " ")
end
file:close()
local counts, words = {}, {}
for line in io.lines("words.txt") do
  for word in line:gmatch("%a+") do
    if not counts[word] then words[#words + 1] = word end
    counts[word] = (counts[word] or 0) + 1
  end
end
table.sort(words, function(a, b) return counts[a] > counts[b] or (counts[a] == counts[b] and a < b) end)
for k = 1, 5 do print("word", words[k], counts[words[k]]) end
print("words", #words)
local sorted = assert(io.open("counts.txt", "w"))
for _, word in ipairs(words) do sorted:write(string.format("%6d %-6s %5.2f%%\n", counts[word], word, 100 * counts[word] / #words)) end
print("written", sorted:seek("end"))
sorted:close()

-- A sieve, and closures that count.
local limit = 20000 * scale
local composite, primes = {}, 0
for k = 2, limit do
  if not composite[k] then
    primes = primes + 1
    for multiple = k * k, limit, k do composite[multiple] = true end
  end
end
local function counter() local n = 0; return function(step) n = n + step; return n end end
local counters = {}
for k = 1, 100 do counters[k] = counter() end
local last
for k = 1, 10000 * scale do last = counters[k % 100 + 1](k) end
print("primes", primes, "counted", last)

-- Calls until Lua's own stack has no room, and an error back through all of them.
local function forever(n) return 1 + forever(n + 1) end
if scale >= 1 then print(select(2, pcall(forever, 1)):match("^.-overflow")) end
