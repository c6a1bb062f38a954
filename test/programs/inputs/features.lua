-- A little of everything that a Lua program does, each with an answer that is the same everywhere. Files lie where it runs.

local function show(...)
  local items = table.pack(...)
  for k = 1, items.n do items[k] = tostring(items[k]) end
  print(table.concat(items, " "))
end

-- Errors, through functions in Lua and in C, and through a chain of both.
show(pcall(error, "message"))
show(pcall(error, "no position", 0))
show(select("#", pcall(error)))
show(pcall(function() local nothing; return nothing.field end))
show(pcall(function() return 1 // 0 end))
show(pcall(function() return 1 < "2" end))
show(pcall(string.rep, "x", -1))
show(pcall(string.rep))
show(pcall(string.gsub, "hello", "l", function(letter) error("in gsub: " .. letter, 0) end))
show(pcall(table.sort, { 3, 1, "two" }))
local ok, object = pcall(function() return setmetatable({}, { __index = function(_, key) error({ key }) end }).x end)
show(ok, type(object), object[1])
show(xpcall(function() error("traced", 0) end, function(message) return "handled " .. message end))
show(xpcall(function() error("first", 0) end, function() error("second", 0) end))
local depth = 0
local function nested(level)
  if level == 0 then error("bottom", 0) end
  local fine, message = pcall(nested, level - 1)
  depth = depth + 1
  error(message .. ".", 0)
end
local _, dots = pcall(nested, 150)
show(#dots, depth)
local function through(level) return string.gsub("x", "x", function() return through(level + 1) end) end
show((select(2, pcall(through, 1)):gsub("^.*: ", "")))
local caught = 0
for k = 1, 2000 do if not pcall(error, k) then caught = caught + 1 end end
show(caught)
do
  local closed <close> = setmetatable({}, { __close = function(_, message) show("closed", message) end })
end
show(pcall(function()
  local closed <close> = setmetatable({}, { __close = function(_, message) show("closed with", message) end })
  error("why", 0)
end))

-- Coroutines: values both ways, errors in them, yields across pcall, in iterators and in metamethods.
local function squares(n) return coroutine.wrap(function() for k = 1, n do coroutine.yield(k * k) end end) end
local sum = 0
for square in squares(100) do sum = sum + square end
show(sum)
local failing = coroutine.create(function(a) local b = coroutine.yield(a + 1); error("after " .. b, 0) end)
show(coroutine.resume(failing, 1))
show(coroutine.resume(failing, 2))
show(coroutine.status(failing), coroutine.resume(failing))
show(coroutine.wrap(function() return pcall(function() return coroutine.yield(1) end) end)())
local across = coroutine.create(function()
  return pcall(function() local got = coroutine.yield("out"); error("got " .. got, 0) end)
end)
show(coroutine.resume(across))
show(coroutine.resume(across, "in"))
local adding = setmetatable({}, { __add = function(_, other) return coroutine.yield(other) + 1 end })
local meta = coroutine.wrap(function() return adding + 41 end)
show(meta(), meta(9))
show(coroutine.isyieldable(), coroutine.running() ~= nil)
show(coroutine.close(coroutine.create(error)))

-- Numbers and strings.
show(7 // 2, -7 // 2, 7 % -3, -7 % 3, 7.5 // 2, 2 ^ 53, 10 / 2, 1e15, 1e16, 0x7fffffffffffffff + 1, 5 // 0.0, -5 % math.huge)
show(math.maxinteger, math.mininteger, math.pi, -0.0, 1e308 * 10, math.type(1), math.type(1.0), math.tointeger(3.0), 3 | 8, ~5, 1 << 62)
show(math.sin(1), math.exp(1), math.log(10, 2), math.sqrt(2), math.fmod(7, -3), math.ult(1, -1))
print(string.format("%5d|%-5d|%05d|%+d|%x|%X|%o|%c|%e|%g|%10.3f|%a|%s|%q|%i|%%", 42, 42, 42, 42, 255, 255, 8, 65, 12345.678, 1e-10, 3.14159, 0.5, "text", "line\nend\0", 7))
print(string.format("%q %q %q", 1 / 3, math.mininteger, "\200\"\\"))
print(string.format("%-20s|%20s|%.3s", "left", "right", "truncated"))
show(("The quick brown fox"):upper(), ("x"):rep(5, ","), ("abc"):reverse(), ("abc"):byte(1, -1))
show(("key = value"):match("^(%w+)%s*=%s*(%w+)$"))
show(("one two  three"):gsub("%s+", "-"))
show(("%d"):format(3.0), tostring(2^31), "10" + 5, "0x10" * 2, 10 .. 20)
show(("f(a(b)c)d"):match("%b()"), ("THE (quick) fox"):find("%((%a+)%)"))
for word, number in ("a=1, b=22, c=333"):gmatch("(%w+)=(%w+)") do io.write(word, ":", number, " ") end
print()
show(utf8.char(72, 228, 8364, 128512), utf8.len("Hä€😀"), #utf8.char(0x7fffffff))
for position, code in utf8.codes("ä€") do io.write(position, "=", code, " ") end
print()
local packed = string.pack("<i4 >I2 z s1 d", -2, 513, "zero", "short", 0.1)
show(#packed, packed:byte(1, 6))
show(string.unpack("<i4 >I2 z s1 d", packed))

-- Tables.
local words = {}
for word in ("pear apple fig banana cherry date elderberry grape"):gmatch("%a+") do words[#words + 1] = word end
table.sort(words)
show(table.concat(words, ","))
table.sort(words, function(a, b) return #a < #b or (#a == #b and a > b) end)
show(table.concat(words, ","))
table.insert(words, 1, "first")
show(table.remove(words), table.remove(words, 1), #words, table.unpack({ 1, 2, 3 }, 2))
show(table.concat(table.move({ 1, 2, 3, 4 }, 2, 4, 1), " "), next({}), rawlen({ 1, 2 }), select(-1, 1, 2, 3))
local keys = {}
for key in pairs({ x = 1, y = 2, z = 3, [1] = 4, [2.5] = 5, [true] = 6 }) do keys[#keys + 1] = tostring(key) end
table.sort(keys)
show(table.concat(keys, " "))
local class = setmetatable({}, { __call = function(self, n) return setmetatable({ n = n }, self) end })
class.__index = class
class.__eq = function(a, b) return a.n == b.n end
class.__lt = function(a, b) return a.n < b.n end
class.__concat = function(a, b) return a.n .. "&" .. b.n end
class.__len = function(a) return a.n end
class.__tostring = function(a) return "class(" .. a.n .. ")" end
show(class(1) == class(1), class(1) < class(2), class(1) .. class(2), #class(7), class(9))
for i = 10, 1, -4 do io.write(i, " ") end
for x = 0, 1, 0.25 do io.write(x, " ") end
goto done
print("never")
::done::
print()
local weak = setmetatable({}, { __mode = "k" })
for k = 1, 100 do weak[{}] = k end
collectgarbage()
show(next(weak), collectgarbage("count") > 0, collectgarbage("step"), collectgarbage("isrunning"))
local finalized = 0
for k = 1, 10 do setmetatable({}, { __gc = function() finalized = finalized + 1 end }) end
collectgarbage()
show(finalized)

-- Code made at run time.
show(load("return 1 + ...")(41), load("syntax error here"))
show(pcall(load, function() error("reader", 0) end))
show(#string.dump(show) > 0, load(string.dump(function(a) return a * 2 end))(21))
show(pcall(require, "absent_module") == false, package.config:sub(1, 1))

-- Files.
local file <const> = assert(io.open("lines.txt", "w"))
for k = 1, 1000 do file:write("line ", k, "\n") end
show(file:seek("cur"), file:seek("set", 5), file:seek("end"))
show(file:close(), io.type(file))
local count, bytes = 0, 0
for line in io.lines("lines.txt") do count, bytes = count + 1, bytes + #line end
show(count, bytes)
local again = assert(io.open("lines.txt", "r+"))
show(again:read("l", "n", "l", 3, "L"))
again:seek("set", 0)
again:write("LINE")
again:seek("set", 0)
show(again:read("a"):sub(1, 13):gsub("\n", "|"))
again:close()
local more = assert(io.open("lines.txt", "a"))
more:setvbuf("full", 100)
more:write("the end\n")
more:close()
for line in io.lines("lines.txt", 4096) do bytes = #line end
-- Without the number of the error, which is another one here than elsewhere.
local function reason(_, message) return message end
show(bytes, os.rename("lines.txt", "renamed.txt"), reason(io.open("lines.txt")))
show(os.remove("renamed.txt"), reason(os.remove("renamed.txt")))
show(reason(io.open("absent/file", "w")))
show(pcall(io.lines, "absent"))
show(pcall(io.open, "x", "bad mode"))
show(os.getenv("NOT_SET"), os.time({ year = 2020, month = 2, day = 30, hour = 12 }), os.date("!%Y-%m-%d %H:%M:%S", 86400 * 365))
show(type(os.time()), type(os.clock()), os.difftime(10, 4))
io.stderr:write("to standard error\n")
show(io.read("n", "l", "L", "a"))
show(io.read("a"), io.read("l"))
os.exit(7)
