local floor = math.floor

local function sort(numbers, low, high)
  while high - low > 12 do
    local pivot = numbers[low + floor((high - low) / 2)]
    local i, j = low, high
    while i <= j do
      while numbers[i] < pivot do i = i + 1 end
      while numbers[j] > pivot do j = j - 1 end
      if i <= j then
        numbers[i], numbers[j] = numbers[j], numbers[i]
        i, j = i + 1, j - 1
      end
    end
    if j - low < high - i then
      sort(numbers, low, j)
      low = i
    else
      sort(numbers, i, high)
      high = j
    end
  end
  for i = low + 1, high do
    local held = numbers[i]
    local j = i - 1
    while j >= low and numbers[j] > held do
      numbers[j + 1] = numbers[j]
      j = j - 1
    end
    numbers[j + 1] = held
  end
end

return function(n)
  local numbers = {}
  local seed = 42
  for i = 0, n - 1 do
    seed = seed * 16807 % 2147483647
    numbers[i] = seed
  end
  sort(numbers, 0, n - 1)
  local sum = 0
  for i = 0, n - 1 do sum = (sum * 31 + numbers[i]) % 4294967296 end
  return sum < 2147483648 and sum or sum - 4294967296
end
