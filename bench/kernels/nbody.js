function energy(bodies) {
  let sum = 0;
  for (let i = 0; i < 5; i++) {
    const a = bodies[i];
    sum += 0.5 * a.mass * (a.vx * a.vx + a.vy * a.vy + a.vz * a.vz);
    for (let j = i + 1; j < 5; j++) {
      const b = bodies[j];
      const dx = a.x - b.x;
      const dy = a.y - b.y;
      const dz = a.z - b.z;
      sum -= (a.mass * b.mass) / Math.sqrt(dx * dx + dy * dy + dz * dz);
    }
  }
  return sum;
}

function advance(bodies, dt) {
  for (let i = 0; i < 5; i++) {
    const a = bodies[i];
    for (let j = i + 1; j < 5; j++) {
      const b = bodies[j];
      const dx = a.x - b.x;
      const dy = a.y - b.y;
      const dz = a.z - b.z;
      const square = dx * dx + dy * dy + dz * dz;
      const pull = dt / (square * Math.sqrt(square));
      a.vx -= dx * b.mass * pull;
      a.vy -= dy * b.mass * pull;
      a.vz -= dz * b.mass * pull;
      b.vx += dx * a.mass * pull;
      b.vy += dy * a.mass * pull;
      b.vz += dz * a.mass * pull;
    }
  }
  for (let i = 0; i < 5; i++) {
    const a = bodies[i];
    a.x += dt * a.vx;
    a.y += dt * a.vy;
    a.z += dt * a.vz;
  }
}

export function run(n) {
  const bodies = [];
  for (let i = 0; i < 5; i++)
    bodies.push({
      x: 4 * i,
      y: 0.5 * i * (i % 2 === 0 ? 1 : -1),
      z: 0.25 * i,
      vx: 0,
      vy: i === 0 ? 0 : 3 / Math.sqrt(i),
      vz: 0.125 * i,
      mass: i === 0 ? 40 : 0.0625 / i,
    });
  for (let i = 0; i < n; i++) advance(bodies, 0.0009765625);
  return Math.trunc(energy(bodies) * 1099511627776);
}
