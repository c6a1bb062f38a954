//! The tour through the Rust bindings: see tour.as and tour.c, which print the same.
mod ashlar;

use ashlar::{
    eprintln, print, println, Artifact, Bank, BankType, Dir, EntryKind, File, Key, Load, LoadState, OpenFlag, Status, Visibility,
    Writer,
};
use core::fmt::Write;
use core::time::Duration;

fn number(kind: EntryKind) -> u32 {
    match kind {
        EntryKind::Other => 0,
        EntryKind::File => 1,
        EntryKind::Directory => 2,
        EntryKind::Symlink => 3,
    }
}

fn tour() -> ashlar::Result<u8> {
    let root = Dir::root();
    println!("args {}", ashlar::args().join("|"));
    let variable = |name| ashlar::variable(name).unwrap_or("-".to_owned());
    println!("env {} {}", variable("NAME"), variable("NAM"));
    println!("read {}", root.read_text("/data/b.txt")?);
    println!("missing {:?}", ashlar::read("/data/none").unwrap_err());
    ashlar::write("/data/out", "först\n".as_bytes())?;
    root.append("/data/out", b"second")?;
    root.make_dir("/data/new")?;
    root.rename("/data/out", &root, "/data/new/out")?;
    root.link("/data/new/out", &root, "/data/hard")?;
    root.symlink("new/out", "/data/soft")?;
    println!("target {}", root.read_link("/data/soft")?);
    root.set_times("/data/hard", Some(1), Some(2))?;
    let stat = ashlar::stat("/data/soft")?;
    println!("stat {} {} {} {} {}", number(stat.kind), stat.bytes, stat.links, stat.accessed, stat.modified);
    let link = root.link_stat("/data/soft")?;
    println!("link {} {} {}", number(link.kind), link.bytes, link.id != stat.id);
    print!("list");
    for entry in ashlar::list("/data")? {
        let entry = entry?;
        print!(" {}:{}", entry.name, number(entry.kind));
    }
    println!();
    let dir = Dir::open("/data/new")?;
    let file = dir.open_file("out", OpenFlag::READ | OpenFlag::WRITE)?;
    file.truncate(3)?;
    file.sync()?;
    println!("size {}", file.stat()?.bytes);
    file.close()?;
    drop(dir);
    root.remove_file("/data/soft")?;
    println!("rmdir {:?}", root.remove_dir("/data/new").unwrap_err());
    println!("ro {:?}", ashlar::write("/ro/x", b"x").unwrap_err());
    let before = ashlar::monotonic();
    ashlar::sleep(Duration::from_millis(1));
    println!("clock {} {}", ashlar::now() >= 5_000_000, ashlar::monotonic() - before >= 1_000_000);
    let mut random = [0; 8];
    ashlar::fill_random(&mut random);
    println!("random {}", random.iter().map(|byte| format!("{:02x}", byte)).collect::<String>());
    let input = ashlar::stdin().read_all()?;
    println!("stdin {} {}", input.len(), String::from_utf8_lossy(&input[..5]));
    let tiles = Bank::in_slot(BankType::TILES, 5)?;
    let info = tiles.info()?;
    println!("bank {} {} {} {} {}", info.asset_id, info.bank_type, info.bytes, info.stored_bytes, info.metadata_bytes);
    let mut window = [0; 4];
    let read = tiles.read_at(2, &mut window[1..])?;
    if read.length != 3 || read.at_end || tiles.size()? != 8 {
        return Ok(102);
    }
    let digits = window.iter().map(|byte| format!("{:02x}", byte)).collect::<String>();
    println!("tiles {} {}", digits, tiles.metadata()?);
    drop(tiles);
    println!("poem {}", Bank::of_asset(2)?.read_text()?);
    println!("slot {:?}", Bank::in_slot(BankType::TEXT, 9).err().unwrap());
    ashlar::load_asset(2, 9)?;
    println!("loaded {}", Bank::in_slot(BankType::TEXT, 9)?.info()?.asset_id);
    let load = Load::request(2, 10)?;
    if load.state()? != LoadState::PENDING {
        return Ok(103);
    }
    println!("commit {:?}", load.commit().unwrap_err());
    load.cancel()?;
    drop(load);
    println!("damaged {:?}", ashlar::load_asset(3, 0).unwrap_err());
    let listed = ashlar::artifacts().collect::<ashlar::Result<Vec<_>>>()?;
    let first = &listed[0];
    let stored = Artifact::open(&first.key)?;
    let record = stored.info(0)?;
    let (tag, own_tag) = (first.type_tag.unwrap_or(0), record.type_tag.unwrap_or(0));
    println!("stored {} {} {} {} {}", first.bytes, tag, record.bytes, record.records, own_tag);
    let read = stored.read_at(3, &mut window[1..])?;
    if listed.len() != 1 || read.length != 3 || read.at_end || first.visibility != Visibility::INTERNAL {
        return Ok(104);
    }
    let digits = window.iter().map(|byte| format!("{:02x}", byte)).collect::<String>();
    println!("artifact {} {}", digits, stored.read_text()?);
    drop(stored);
    let made = ashlar::put_artifact(b"made")?;
    println!("made {}", made);
    let named = Artifact::named(&made.to_string())?;
    println!("named {} {}", named.read_text()?, named.info(0)?.type_tag.is_some());
    drop(named);
    let mut writer = Writer::create(Some(7))?;
    writer.write(b"tag")?;
    write!(writer, "{}", "ged").unwrap();
    println!("writer {} {}", writer.info()?.bytes, writer.info()?.type_tag.unwrap());
    println!("key {}", writer.seal()?.as_bytes().len());
    println!("sealed {:?}", writer.write(b"x").unwrap_err());
    drop(writer);
    let other = Writer::create(None)?;
    other.abort()?;
    println!("aborted {:?}", other.seal().unwrap_err());
    drop(other);
    let mut absent = made.as_bytes().to_vec();
    absent[5] ^= 1;
    println!("absent {:?}", Artifact::open(&Key::new(&absent)?).err().unwrap());
    print!("artifacts");
    for entry in ashlar::artifacts() {
        let entry = entry?;
        print!(" {}:{}", entry.bytes, entry.type_tag.unwrap_or(0));
    }
    println!();
    eprintln!("a line of errors");
    ashlar::log("a line of the log");
    println!("fuel {}", ashlar::fuel_left().is_none());
    if File::open("/data").err() != Some(Status::IS_DIRECTORY) {
        return Ok(101);
    }
    Ok(7)
}

ashlar::main!(tour);
