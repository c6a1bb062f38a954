local byte, char = string.byte, string.char

local function write()
  local parts = { "[" }
  for i = 0, 199 do
    parts[#parts + 1] = (i == 0 and "" or ",\n ") .. '{"id": ' .. i * 37 .. ', "name": "record \\"' .. i .. '\\"\\n"'
    parts[#parts + 1] = ', "price": -' .. i * 7 .. "." .. i % 10 .. '5, "tags": ["red", "green", '
    parts[#parts + 1] = (i % 3 == 0 and "true" or i % 3 == 1 and "false" or "null") .. ', 1e3], "place": {"x": '
    parts[#parts + 1] = i % 13 .. ', "y": [], "z": {}}}'
  end
  return table.concat(parts) .. "]"
end

local text, at

local function space()
  local next = byte(text, at)
  while next == 32 or next == 10 do
    at = at + 1
    next = byte(text, at)
  end
end

local function expect(wanted)
  if byte(text, at) ~= wanted then error("no " .. char(wanted) .. " at " .. at) end
  at = at + 1
end

local function word(letters)
  for i = 1, #letters do expect(byte(letters, i)) end
end

local function parse_string()
  local letters = {}
  expect(34)
  local next = byte(text, at)
  while next ~= 34 do
    at = at + 1
    if next == 92 then
      next = byte(text, at)
      at = at + 1
      if next == 110 then next = 10 elseif next == 116 then next = 9 end
    end
    letters[#letters + 1] = char(next)
    next = byte(text, at)
  end
  at = at + 1
  return table.concat(letters)
end

local function digit()
  local next = byte(text, at)
  if next and next >= 48 and next <= 57 then
    at = at + 1
    return next - 48
  end
end

local function parse_number()
  local negative = byte(text, at) == 45
  if negative then at = at + 1 end
  local mantissa, exponent = 0.0, 0
  local next = digit()
  while next do
    mantissa = mantissa * 10 + next
    next = digit()
  end
  if byte(text, at) == 46 then
    at = at + 1
    next = digit()
    while next do
      mantissa = mantissa * 10 + next
      exponent = exponent - 1
      next = digit()
    end
  end
  if byte(text, at) == 101 then
    at = at + 1
    local digits = 0
    next = digit()
    while next do
      digits = digits * 10 + next
      next = digit()
    end
    exponent = exponent + digits
  end
  for _ = 1, exponent do mantissa = mantissa * 10 end
  for _ = 1, -exponent do mantissa = mantissa / 10 end
  return negative and -mantissa or mantissa
end

local function parse()
  space()
  local next = byte(text, at)
  if next == 123 or next == 91 then
    local closing = next + 2
    at = at + 1
    local members = {}
    space()
    if byte(text, at) ~= closing then
      while true do
        local name = ""
        space()
        if next == 123 then
          name = parse_string()
          space()
          expect(58)
        end
        members[#members + 1] = { name = name, value = parse() }
        space()
        if byte(text, at) ~= 44 then break end
        at = at + 1
      end
    end
    expect(closing)
    return { kind = next == 123 and 6 or 5, value = members }
  elseif next == 34 then
    return { kind = 4, value = parse_string() }
  elseif next == 116 then
    word("true")
    return { kind = 2, value = true }
  elseif next == 102 then
    word("false")
    return { kind = 1, value = false }
  elseif next == 110 then
    word("null")
    return { kind = 0 }
  end
  return { kind = 3, value = parse_number() }
end

local function hash_string(hash, letters)
  for i = 1, #letters do hash = (hash * 31 + byte(letters, i)) % 4294967296 end
  return hash
end

local function hash_of(value, seed)
  local kind, content = value.kind, value.value
  local hash = (seed * 31 + kind) % 4294967296
  if kind == 3 then
    local scaled = content * 100
    hash = (hash * 31 + (scaled < 0 and math.ceil(scaled) or math.floor(scaled))) % 4294967296
  elseif kind == 4 then
    hash = hash_string(hash, content)
  elseif kind >= 5 then
    for i = 1, #content do hash = hash_of(content[i].value, hash_string(hash, content[i].name)) end
  end
  return hash
end

return function(n)
  text = write()
  local hash = 0
  for _ = 1, n do
    at = 1
    hash = hash_of(parse(), hash)
  end
  return hash < 2147483648 and hash or hash - 4294967296
end
