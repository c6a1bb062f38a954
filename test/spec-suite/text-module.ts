import wabt from "wabt";

const { parseWat } = await wabt();

/** WebAssembly 2.0 as wabt calls its parts; what is not named here is as wabt has it by default. */
const FEATURES = {
  mutable_globals: true,
  sat_float_to_int: true,
  sign_extension: true,
  multi_value: true,
  bulk_memory: true,
  reference_types: true,
  extended_const: true,
};

/**
 * Binary of a module's text. Nothing is validated here: an invalid text gives an invalid binary. Throws Error where the
 * text is malformed. `text` must fill its buffer: wabt reads the buffer, not the view.
 */
export function binaryOfText(text: Uint8Array): Uint8Array {
  const module = parseWat("module.wat", text, FEATURES);
  try {
    return module.toBinary({}).buffer;
  } finally {
    module.destroy();
  }
}
