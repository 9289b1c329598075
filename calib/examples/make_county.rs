//! Writes the example county: `cargo run -p calib --example make_county -- calib/example-county`.
//!
//! In: the folder to write to. Out: four GeoJSON files and the roster. Never: anything but those.

mod county;

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    let folder = folder.ok_or("name the folder to write to, for instance calib/example-county")?;
    std::fs::create_dir_all(&folder)?;
    for (name, text) in county::files() {
        let path = folder.join(name);
        std::fs::write(&path, &text)?;
        eprintln!("{} ({} kB)", path.display(), text.len() / 1000);
    }
    Ok(())
}
