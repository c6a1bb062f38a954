//! Lines in a run of bytes that comes in pieces.

#[derive(Clone, Copy, Default)]
pub struct Lines {
    pub all: u64,
    pub blank: u64,
    /// Characters of UTF-8 in the longest one, without its end.
    pub longest: u64,
}

#[derive(Default)]
pub struct LineCounter {
    lines: Lines,
    /// The line so far: its characters, and whether it has bytes, and others than white space.
    characters: u64,
    has_bytes: bool,
    has_text: bool,
    is_binary: bool,
}

impl LineCounter {
    pub fn feed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            match byte {
                b'\n' => self.end_line(),
                _ => {
                    self.has_bytes = true;
                    self.has_text |= !byte.is_ascii_whitespace();
                    self.is_binary |= byte == 0;
                    // Of a character's bytes only the first is no continuation.
                    self.characters += u64::from(byte & 0xc0 != 0x80 && byte != b'\r');
                }
            }
        }
    }

    fn end_line(&mut self) {
        self.lines.all += 1;
        self.lines.blank += u64::from(!self.has_text);
        self.lines.longest = self.lines.longest.max(self.characters);
        self.characters = 0;
        self.has_bytes = false;
        self.has_text = false;
    }

    /// The lines of it all; none when it is no text.
    pub fn finish(mut self) -> Lines {
        if self.has_bytes {
            self.end_line();
        }
        if self.is_binary {
            return Lines::default();
        }
        self.lines
    }
}
