//! Prints the JSON Schema of a camera's file:
//! `cargo run -p calib --example make_schema > calib/schema/camera.schema.json`.

use std::io::Write;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let text = serde_json::to_string_pretty(&calib::schema::camera())?;
    writeln!(std::io::stdout(), "{text}")?;
    Ok(())
}
