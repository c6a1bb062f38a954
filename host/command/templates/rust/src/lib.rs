//! Tells the size of each file that it is given.
mod ashlar;

use ashlar::{eprintln, println};

fn guest() -> u8 {
    std::panic::set_hook(Box::new(|info| ashlar::panicked(info)));
    let paths = ashlar::args();
    if paths.is_empty() {
        println!("Hello from a guest! Give it paths of files.");
    }
    let mut code = 0;
    for path in paths {
        match ashlar::stat(&path) {
            Ok(stat) => println!("{}: {} bytes", path, stat.bytes),
            Err(status) => {
                eprintln!("{}: {:?}", path, status);
                code = 1;
            }
        }
    }
    code
}

ashlar::main!(guest);
