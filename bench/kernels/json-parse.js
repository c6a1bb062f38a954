function write() {
  let text = "[";
  for (let i = 0; i < 200; i++) {
    text += `${i === 0 ? "" : ",\n "}{"id": ${i * 37}, "name": "record \\"${i}\\"\\n", "price": -${i * 7}.${i % 10}5`;
    text += `, "tags": ["red", "green", ${i % 3 === 0 ? "true" : i % 3 === 1 ? "false" : "null"}, 1e3]`;
    text += `, "place": {"x": ${i % 13}, "y": [], "z": {}}}`;
  }
  return `${text}]`;
}

let text = "";
let at = 0;

function space() {
  while (text[at] === " " || text[at] === "\n") at++;
}

function expect(character) {
  if (text[at++] !== character) throw new Error(`no ${character} at ${at - 1}`);
}

function word(letters) {
  for (let i = 0; i < letters.length; i++) expect(letters[i]);
}

function parseString() {
  let string = "";
  expect('"');
  while (text[at] !== '"') {
    let character = text[at++];
    if (character === "\\") {
      character = text[at++];
      if (character === "n") character = "\n";
      else if (character === "t") character = "\t";
    }
    string += character;
  }
  at++;
  return string;
}

function isDigit() {
  return text[at] >= "0" && text[at] <= "9";
}

function parseNumber() {
  const negative = text[at] === "-";
  if (negative) at++;
  let mantissa = 0;
  let exponent = 0;
  while (isDigit()) mantissa = mantissa * 10 + (text.charCodeAt(at++) - 48);
  if (text[at] === ".") {
    at++;
    for (; isDigit(); exponent--) mantissa = mantissa * 10 + (text.charCodeAt(at++) - 48);
  }
  if (text[at] === "e") {
    at++;
    let digits = 0;
    while (isDigit()) digits = digits * 10 + (text.charCodeAt(at++) - 48);
    exponent += digits;
  }
  for (; exponent > 0; exponent--) mantissa *= 10;
  for (; exponent < 0; exponent++) mantissa /= 10;
  return negative ? -mantissa : mantissa;
}

function parse() {
  space();
  const character = text[at];
  switch (character) {
    case "{":
    case "[": {
      const isObject = character === "{";
      const end = isObject ? "}" : "]";
      at++;
      const members = [];
      space();
      if (text[at] !== end)
        for (;;) {
          let name = "";
          space();
          if (isObject) {
            name = parseString();
            space();
            expect(":");
          }
          members.push({ name, value: parse() });
          space();
          if (text[at] !== ",") break;
          at++;
        }
      expect(end);
      return { kind: isObject ? 6 : 5, value: members };
    }
    case '"':
      return { kind: 4, value: parseString() };
    case "t":
      word("true");
      return { kind: 2, value: true };
    case "f":
      word("false");
      return { kind: 1, value: false };
    case "n":
      word("null");
      return { kind: 0, value: null };
    default:
      return { kind: 3, value: parseNumber() };
  }
}

function hashString(seed, string) {
  let hash = seed;
  for (let i = 0; i < string.length; i++) hash = (Math.imul(hash, 31) + string.charCodeAt(i)) | 0;
  return hash;
}

function hashOf({ kind, value }, seed) {
  let hash = (Math.imul(seed, 31) + kind) | 0;
  if (kind === 3) hash = (Math.imul(hash, 31) + Math.trunc(value * 100)) | 0;
  else if (kind === 4) hash = hashString(hash, value);
  else if (kind >= 5) for (const member of value) hash = hashOf(member.value, hashString(hash, member.name));
  return hash;
}

export function run(n) {
  text = write();
  let hash = 0;
  for (let i = 0; i < n; i++) {
    at = 0;
    hash = hashOf(parse(), hash);
  }
  return hash;
}
