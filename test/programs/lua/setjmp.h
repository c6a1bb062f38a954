/* Lua includes it; wasi-libc has none, and wasi.h stands in for what it would declare. */
