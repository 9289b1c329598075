//! Prints the page of knobs: `cargo run -p calib --example make_knobs > calib/KNOBS.md`.

use std::io::Write;

fn main() -> std::io::Result<()> {
    write!(std::io::stdout(), "{}", calib::knobs::page())
}
