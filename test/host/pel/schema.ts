/** As much of JSON Schema 2020-12 as `pel.schema.json` uses; a keyword that is not known is an error. */

export interface Schema {
  readonly $defs?: { readonly [name: string]: Schema };
  readonly $ref?: string;
  readonly oneOf?: readonly Schema[];
  readonly properties?: { readonly [name: string]: Schema };
  readonly default?: unknown;
  readonly maximum?: number;
}

type Check = (wanted: never, value: unknown, schema: { readonly [keyword: string]: unknown }, root: Schema) => boolean;

const TYPES: { readonly [type: string]: (value: unknown) => boolean } = {
  object: isObject,
  array: Array.isArray,
  string: (value) => typeof value === "string",
  integer: Number.isInteger,
};

function isObject(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Each holds for values of a type that it says nothing of. */
const KEYWORDS: { readonly [keyword: string]: Check } = {
  type: (type: string, value) => TYPES[type]!(value),
  const: (wanted: unknown, value) => wanted === value,
  enum: (words: readonly unknown[], value) => words.includes(value),
  pattern: (pattern: string, value) => typeof value !== "string" || new RegExp(pattern, "u").test(value),
  minLength: (least: number, value) => typeof value !== "string" || [...value].length >= least,
  maxLength: (most: number, value) => typeof value !== "string" || [...value].length <= most,
  minimum: (least: number, value) => typeof value !== "number" || value >= least,
  maximum: (most: number, value) => typeof value !== "number" || value <= most,
  minItems: (least: number, value) => !Array.isArray(value) || value.length >= least,
  maxItems: (most: number, value) => !Array.isArray(value) || value.length <= most,
  items: (schema: Schema, value, _, root) =>
    !Array.isArray(value) || value.every((item) => matches(schema, item, root)),
  minProperties: (least: number, value) => !isObject(value) || Object.keys(value).length >= least,
  maxProperties: (most: number, value) => !isObject(value) || Object.keys(value).length <= most,
  required: (names: readonly string[], value) => !isObject(value) || names.every((name) => Object.hasOwn(value, name)),
  propertyNames: (schema: Schema, value, _, root) =>
    !isObject(value) || Object.keys(value).every((name) => matches(schema, name, root)),
  properties: (schemas: { readonly [name: string]: Schema }, value, _, root) =>
    !isObject(value) ||
    Object.entries(schemas).every(
      ([name, schema]) => !Object.hasOwn(value, name) || matches(schema, value[name], root),
    ),
  additionalProperties: (schema: Schema | false, value, { properties = {} }, root) =>
    !isObject(value) ||
    Object.entries(value).every(
      ([name, item]) => Object.hasOwn(properties as object, name) || (schema !== false && matches(schema, item, root)),
    ),
  oneOf: (schemas: readonly Schema[], value, _, root) =>
    schemas.filter((schema) => matches(schema, value, root)).length === 1,
  not: (schema: Schema, value, _, root) => !matches(schema, value, root),
  $ref: (ref: string, value, _, root) => matches(root.$defs![ref.replace("#/$defs/", "")]!, value, root),
  $schema: () => true,
  $defs: () => true,
  title: () => true,
  description: () => true,
  default: () => true,
};

/** Whether `value` is as `schema` says. */
export function matches(schema: Schema, value: unknown, root: Schema = schema): boolean {
  return Object.entries(schema).every(([keyword, wanted]) =>
    KEYWORDS[keyword]!(wanted as never, value, schema as { readonly [keyword: string]: unknown }, root),
  );
}
