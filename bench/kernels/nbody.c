// f64 stores after arithmetic: n steps of five bodies that attract one another. Answers their energy in units of 2^-40.
#define BODIES 5
struct body {
  double x, y, z, vx, vy, vz, mass;
};
static struct body bodies[BODIES];

static double energy(void) {
  double sum = 0;
  for (int i = 0; i < BODIES; i++) {
    const struct body *a = &bodies[i];
    sum += 0.5 * a->mass * (a->vx * a->vx + a->vy * a->vy + a->vz * a->vz);
    for (int j = i + 1; j < BODIES; j++) {
      const struct body *b = &bodies[j];
      const double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
      sum -= a->mass * b->mass / __builtin_sqrt(dx * dx + dy * dy + dz * dz);
    }
  }
  return sum;
}

static void advance(double dt) {
  for (int i = 0; i < BODIES; i++) {
    struct body *a = &bodies[i];
    for (int j = i + 1; j < BODIES; j++) {
      struct body *b = &bodies[j];
      const double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
      const double square = dx * dx + dy * dy + dz * dz;
      const double pull = dt / (square * __builtin_sqrt(square));
      a->vx -= dx * b->mass * pull, a->vy -= dy * b->mass * pull, a->vz -= dz * b->mass * pull;
      b->vx += dx * a->mass * pull, b->vy += dy * a->mass * pull, b->vz += dz * a->mass * pull;
    }
  }
  for (int i = 0; i < BODIES; i++) {
    struct body *a = &bodies[i];
    a->x += dt * a->vx, a->y += dt * a->vy, a->z += dt * a->vz;
  }
}

__attribute__((export_name("run"))) long long run(int n) {
  for (int i = 0; i < BODIES; i++) {
    // A heavy one in the middle, the others farther out, lighter and slower each.
    struct body *a = &bodies[i];
    a->x = 4.0 * i, a->y = 0.5 * i * (i % 2 == 0 ? 1 : -1), a->z = 0.25 * i;
    a->vx = 0, a->vy = i == 0 ? 0 : 3.0 / __builtin_sqrt(i), a->vz = 0.125 * i;
    a->mass = i == 0 ? 40 : 0.0625 / i;
  }
  for (int i = 0; i < n; i++) advance(0.0009765625);
  return (long long)(energy() * 1099511627776.0);
}
