return function(n)
  local permutation, work, count = {}, {}, {}
  local most, sum, sign, changed = 0, 0, 1, n
  for i = 0, n - 1 do permutation[i] = i end
  while true do
    while changed > 1 do
      count[changed - 1] = changed
      changed = changed - 1
    end
    if permutation[0] ~= 0 then
      for i = 0, n - 1 do work[i] = permutation[i] end
      local flips = 0
      local first = work[0]
      while first ~= 0 do
        local low, high = 0, first
        while low < high do
          work[low], work[high] = work[high], work[low]
          low, high = low + 1, high - 1
        end
        flips = flips + 1
        first = work[0]
      end
      if flips > most then most = flips end
      sum = sum + sign * flips
    end
    sign = -sign
    changed = 1
    while true do
      if changed == n then return sum * 100 + most end
      local first = permutation[0]
      for i = 0, changed - 1 do permutation[i] = permutation[i + 1] end
      permutation[changed] = first
      count[changed] = count[changed] - 1
      if count[changed] > 0 then break end
      changed = changed + 1
    end
  end
end
