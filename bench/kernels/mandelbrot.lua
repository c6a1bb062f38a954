return function(n)
  local steps = 0
  for y = 0, n - 1 do
    for x = 0, n - 1 do
      local cr, ci = 2.0 * x / n - 1.5, 2.0 * y / n - 1.0
      local zr, zi = 0.0, 0.0
      for _ = 1, 50 do
        local rr, ii = zr * zr, zi * zi
        if rr + ii > 4 then break end
        zi = 2 * zr * zi + ci
        zr = rr - ii + cr
        steps = steps + 1
      end
    end
  end
  return steps
end
