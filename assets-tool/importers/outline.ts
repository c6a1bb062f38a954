/** Outlines to coverage. Only additions, products, quotients and roots of doubles, which are the same on every machine. */

/** A point of a contour; those off the curve are control points of quadratic curves. */
export interface OutlinePoint {
  readonly x: number;
  readonly y: number;
  readonly isOn: boolean;
}
export type Contour = readonly OutlinePoint[];

/** Pixels that enclose an outline. */
export interface OutlineBox {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** The least box of whole pixels around all points; y goes down. */
export function boxOf(contours: readonly Contour[]): OutlineBox {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const contour of contours) {
    for (const { x, y } of contour) {
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y);
    }
  }
  if (left === Infinity) return { left: 0, top: 0, width: 0, height: 0 };
  const x = Math.floor(left);
  const y = Math.floor(top);
  return { left: x, top: y, width: Math.ceil(right) - x, height: Math.ceil(bottom) - y };
}

/**
 * How much of each pixel of `box` is inside, from 0 to 255. Each line of the outline adds the signed area to its right, so
 * that sums along a row are what is covered; contours that overlap the same way count once. `visit` is told how many pixels
 * are touched, before.
 */
export function coverageOf(
  contours: readonly Contour[],
  box: OutlineBox,
  visit: (pixels: number) => void,
): Uint8Array<ArrayBuffer> {
  const { width, height } = box;
  const stride = width + 2;
  const areas = new Float64Array(stride * height);
  for (const contour of contours) {
    forEachLine(contour, (x0, y0, x1, y1) => {
      visit(Math.abs(y1 - y0) + Math.abs(x1 - x0) + 1);
      addLine(areas, box, x0 - box.left, y0 - box.top, x1 - box.left, y1 - box.top);
    });
  }
  const coverage = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    let sum = 0;
    for (let x = 0; x < width; x++) {
      sum += areas[y * stride + x]!;
      coverage[y * width + x] = Math.floor(Math.min(1, Math.abs(sum)) * 255 + 0.5);
    }
  }
  return coverage;
}

type Line = (x0: number, y0: number, x1: number, y1: number) => void;

/** The contour's lines and, as lines, its curves. Between two control points lies one on the curve, half way. */
function forEachLine(contour: Contour, line: Line): void {
  const count = contour.length;
  if (count < 2) return;
  const between = (p: OutlinePoint, q: OutlinePoint): OutlinePoint => ({
    x: (p.x + q.x) / 2,
    y: (p.y + q.y) / 2,
    isOn: true,
  });
  const firstOn = contour.findIndex(({ isOn }) => isOn);
  const start = firstOn < 0 ? between(contour[0]!, contour[count - 1]!) : contour[firstOn]!;
  const begin = firstOn < 0 ? -1 : firstOn;
  let from = start;
  for (let k = 1; k <= count; k++) {
    const point = contour[(begin + k) % count]!;
    if (point.isOn) {
      line(from.x, from.y, point.x, point.y);
      from = point;
      continue;
    }
    const isLast = k === count;
    const next = isLast ? start : contour[(begin + k + 1) % count]!;
    const to = next.isOn ? next : between(point, next);
    curve(from, point, to, line);
    from = to;
    if (next.isOn) k++;
  }
  line(from.x, from.y, start.x, start.y);
}

/** A curve as so many lines that none is further from it than about a tenth of a pixel. */
function curve(from: OutlinePoint, control: OutlinePoint, to: OutlinePoint, line: Line): void {
  const bendX = from.x - 2 * control.x + to.x;
  const bendY = from.y - 2 * control.y + to.y;
  const lines = 1 + Math.floor(Math.sqrt(Math.sqrt(3 * (bendX * bendX + bendY * bendY))));
  let [x, y] = [from.x, from.y];
  for (let k = 1; k <= lines; k++) {
    const t = k / lines;
    const s = 1 - t;
    const nextX = k === lines ? to.x : s * s * from.x + 2 * s * t * control.x + t * t * to.x;
    const nextY = k === lines ? to.y : s * s * from.y + 2 * s * t * control.y + t * t * to.y;
    line(x, y, nextX, nextY);
    [x, y] = [nextX, nextY];
  }
}

function addLine(areas: Float64Array, box: OutlineBox, x0: number, y0: number, x1: number, y1: number): void {
  if (y0 === y1) return;
  if (y0 > y1) addDown(areas, box, x1, y1, x0, y0, -1);
  else addDown(areas, box, x0, y0, x1, y1, 1);
}

/** Adds a line that goes down, from the top of the two ends on, row by row. */
function addDown(
  areas: Float64Array,
  { width, height }: OutlineBox,
  x0: number,
  y0: number,
  x1: number,
  y1: number,
  direction: number,
): void {
  const slope = (x1 - x0) / (y1 - y0);
  // Rounding must not lead out of the box.
  const inside = (x: number): number => Math.max(0, Math.min(width, x));
  for (let row = Math.max(0, Math.floor(y0)); row < Math.min(height, Math.ceil(y1)); row++) {
    const top = Math.max(row, y0);
    const bottom = Math.min(row + 1, y1);
    const a = inside(x0 + (top - y0) * slope);
    const b = inside(x0 + (bottom - y0) * slope);
    addInRow(areas, row * (width + 2), Math.min(a, b), Math.max(a, b), (bottom - top) * direction);
  }
}

/** Adds the part of a line within a row, from `left` to `right`, that goes down by `down`. */
function addInRow(areas: Float64Array, row: number, left: number, right: number, down: number): void {
  const first = Math.floor(left);
  const last = Math.max(first, Math.ceil(right) - 1);
  const add = (x: number, area: number): void => {
    areas[row + x] = areas[row + x]! + area;
  };
  if (first === last) {
    const outside = (left + right) / 2 - first;
    add(first, down * (1 - outside));
    add(first + 1, down * outside);
    return;
  }
  // Of each pixel what of it lies to the right of the line, less what its left neighbour passed on.
  const perPixel = down / (right - left);
  let before = 0;
  for (let x = first; x <= last; x++) {
    const from = Math.max(left, x);
    const to = Math.min(right, x + 1);
    const depth = (to - from) * perPixel;
    const covered = depth * (x + 1 - (from + to) / 2);
    add(x, covered + before);
    before = depth - covered;
  }
  add(last + 1, before);
}
