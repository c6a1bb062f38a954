local sqrt = math.sqrt

local function energy(bodies)
  local sum = 0.0
  for i = 1, 5 do
    local a = bodies[i]
    sum = sum + 0.5 * a.mass * (a.vx * a.vx + a.vy * a.vy + a.vz * a.vz)
    for j = i + 1, 5 do
      local b = bodies[j]
      local dx, dy, dz = a.x - b.x, a.y - b.y, a.z - b.z
      sum = sum - a.mass * b.mass / sqrt(dx * dx + dy * dy + dz * dz)
    end
  end
  return sum
end

local function advance(bodies, dt)
  for i = 1, 5 do
    local a = bodies[i]
    for j = i + 1, 5 do
      local b = bodies[j]
      local dx, dy, dz = a.x - b.x, a.y - b.y, a.z - b.z
      local square = dx * dx + dy * dy + dz * dz
      local pull = dt / (square * sqrt(square))
      a.vx = a.vx - dx * b.mass * pull
      a.vy = a.vy - dy * b.mass * pull
      a.vz = a.vz - dz * b.mass * pull
      b.vx = b.vx + dx * a.mass * pull
      b.vy = b.vy + dy * a.mass * pull
      b.vz = b.vz + dz * a.mass * pull
    end
  end
  for i = 1, 5 do
    local a = bodies[i]
    a.x = a.x + dt * a.vx
    a.y = a.y + dt * a.vy
    a.z = a.z + dt * a.vz
  end
end

return function(n)
  local bodies = {}
  for i = 0, 4 do
    bodies[i + 1] = {
      x = 4.0 * i,
      y = 0.5 * i * (i % 2 == 0 and 1 or -1),
      z = 0.25 * i,
      vx = 0.0,
      vy = i == 0 and 0.0 or 3.0 / sqrt(i),
      vz = 0.125 * i,
      mass = i == 0 and 40.0 or 0.0625 / i,
    }
  end
  for _ = 1, n do advance(bodies, 0.0009765625) end
  return math.ceil(energy(bodies) * 1099511627776.0)
end
