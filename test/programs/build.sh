#!/usr/bin/env bash
# Builds the real programs that the tests run: Lua, zlib's minigzip and SQLite's shell, from the source packages of this
# Debian machine, to WebAssembly with wasi-libc and natively with gcc. Does nothing where both are up to date.
#
#   apt-get install clang lld gcc make tcl wasi-libc libclang-rt-14-dev-wasm32 bzip2 xz-utils
#   npm ci                     (binaryen)
#   npm run build:programs
#
# What comes of it lies in test/programs/build: lua.wasm, minigzip.wasm and sqlite3.wasm, and native/ with the same names.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
here="$PWD"
optimizer="$here/../../node_modules/binaryen/bin/wasm-opt"
node="${NODE:-node}"
node="$(command -v "$node")"
# Without npm's programs: clang would run the wasm-opt that it finds on the path on what it links, and names would be gone.
PATH=/usr/local/bin:/usr/bin:/bin

# What decides about the result: this folder, the compilers, and wasi-libc.
state="$(
  cat build.sh lua/* sqlite3/* ../../node_modules/binaryen/package.json
  clang --version && gcc --version && sha256sum /usr/lib/wasm32-wasi/*.a
)"
state="$(sha256sum <<< "$state")"
if [[ -e build/state && "$(cat build/state)" == "$state" ]]; then
  echo "test/programs/build is up to date"
  exit 0
fi

scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT

# -------------------------------------------------------------------------------------------------------------- sources

# The machine's own sources of packages, asked for source packages; apt checks what it gets as it does for others.
fetch() {
  local apt="$scratch/apt" file
  mkdir -p "$apt"/{parts,lists/partial,archives/partial}
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    if [[ -e "$file" ]]; then sed -nE 's/^deb([[:space:]])/deb-src\1/p' "$file" > "$apt/parts/${file##*/}.list"; fi
  done
  for file in /etc/apt/sources.list.d/*.sources; do
    if [[ -e "$file" ]]; then sed -E 's/^Types:.*/Types: deb-src/' "$file" > "$apt/parts/${file##*/}"; fi
  done
  local options=(
    -o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$apt/parts" -o "Dir::State::Lists=$apt/lists"
    -o "Dir::Cache=$apt" -o "APT::Sandbox::User=$(id -un)" -o Acquire::Retries=3
  )
  # A source without source packages is none of our business, as long as another has ours.
  apt-get "${options[@]}" -qq update || true
  (cd "$scratch" && apt-get "${options[@]}" -qq --download-only source lua5.4 zlib sqlite3)
  for file in lua5.4 zlib sqlite3; do
    mkdir "$scratch/$file"
    tar -x -C "$scratch/$file" --strip-components=1 -f "$(echo "$scratch/${file}_"*.orig.tar.*)"
  done
}

# ------------------------------------------------------------------------------------------------------------- programs

# Without the host's own headers, which lie around those of wasi-libc.
wasm() {
  clang --target=wasm32-wasi --sysroot=/usr -nostdlibinc -isystem /usr/include/wasm32-wasi -O2 \
    -Wl,--stack-first -Wl,-z,stack-size=1048576 "$@"
}
native() { gcc -O2 -w "$@" -lm; }

emulated=(-D_WASI_EMULATED_SIGNAL -lwasi-emulated-signal -D_WASI_EMULATED_PROCESS_CLOCKS -lwasi-emulated-process-clocks
  -D_WASI_EMULATED_GETPID -lwasi-emulated-getpid)

minigzip() {
  cd "$scratch/zlib"
  "$1" -DHAVE_UNISTD_H -I. ./*.c test/minigzip.c -o "$2"
}

lua() {
  cd "$scratch/lua5.4/src"
  rm -f luac.c
  if [[ "$1" == native ]]; then
    native -DLUA_USE_POSIX ./*.c -o "$2"
    return
  fi
  wasm -I "$here/lua" -include wasi.h "${emulated[@]}" ./*.c "$here/lua/wasi.c" -o "$scratch/lua.wasm"
  "$node" "$optimizer" -g --asyncify --pass-arg=asyncify-ignore-imports -O2 "$scratch/lua.wasm" -o "$2"
}

sqlite3() {
  cd "$scratch/sqlite3"
  # One connection in one process: neither threads nor a log shared through memory.
  local options=(-DSQLITE_THREADSAFE=0 -DSQLITE_OMIT_LOAD_EXTENSION -DSQLITE_OMIT_WAL -DSQLITE_MAX_MMAP_SIZE=0)
  if [[ "$1" == wasm ]]; then
    options+=(-DSQLITE_OMIT_POPEN -DSQLITE_NOHAVE_SYSTEM -I "$here/sqlite3" -include wasi.h "${emulated[@]}")
  elif [[ "$(uname -m)" == x86_64 ]]; then
    # The last digits of numbers as text come from a long double, which has 128 bits in WebAssembly.
    options+=(-mlong-double-128)
  fi
  "$1" "${options[@]}" -I. sqlite3.c shell.c -o "$2"
}

echo "== sources of Lua, zlib and SQLite"
fetch
(
  cd "$scratch/sqlite3"
  ./configure --quiet --disable-tcl --disable-readline
  make -s sqlite3.c shell.c
) > "$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }

rm -rf build
mkdir -p build/native
echo "== Lua, minigzip and sqlite3 with gcc and with $(clang --version | head -n 1)"
(for program in lua minigzip sqlite3; do ("$program" native "$here/build/native/$program"); done) &
for program in lua minigzip sqlite3; do ("$program" wasm "$here/build/$program.wasm"); done
wait "$!"
echo "$state" > build/state
