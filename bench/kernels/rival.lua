-- `lua rival.lua FILE N CALLS` calls the function in FILE so often with N; prints what it answers and the fastest call in ns.
local run = dofile(arg[1])
local n, calls = tonumber(arg[2]), tonumber(arg[3])
local result, best = nil, math.huge
for _ = 1, calls do
  local start = os.clock()
  result = run(n)
  best = math.min(best, os.clock() - start)
end
local answer = type(result) == "number" and string.format("%.0f", result) or string.gsub(tostring(result), "LL$", "")
if math.type and math.type(result) == "integer" then answer = tostring(result) end
print(answer .. " " .. string.format("%.0f", best * 1e9))
