//! What the scene says of a clip, and how long a look takes: for looking at real footage.
//!
//! In: `WIDTH HEIGHT LUMA DETECTIONS OUT`: raw luma frames one after another (any tool writes them), a line of
//! text a frame (`milliseconds`, then `class score x0 y0 x1 y1` with COCO's class numbers), a folder. Out: a
//! line for each look with proposals or a fault; the thumb and the background as PGM every twentieth look.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a tool to look with")]

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use calib::camera::Camera;
use calib::class::Class;
use calib::matter::Catalogue;
use calib::picture::{Chroma, Matrix, Plane, Range, YuvView};
use calib::space::ImageBox;
use calib::time::Timestamp;
use logic::look::Detection;
use logic::scene::{SceneWatch, THUMB_WIDTH, Thumb};

fn detections(line: &str) -> (i64, Vec<Detection>) {
    let numbers: Vec<f32> = line.split_whitespace().map(|word| word.parse().unwrap()).collect();
    let class = |number: f32| match number as i32 {
        0 => Class::Person,
        1 => Class::Bicycle,
        3 => Class::Motorcycle,
        5 => Class::Bus,
        7 => Class::Truck,
        _ => Class::Car,
    };
    let found = numbers[1..].chunks_exact(6).map(|n| Detection {
        class: class(n[0]),
        score: n[1],
        bounds: ImageBox::from([n[2], n[3], n[4], n[5]]),
    });
    (numbers[0] as i64, found.collect())
}

fn write_pgm(path: String, thumb: &Thumb) {
    let mut file = std::fs::File::create(path).unwrap();
    writeln!(file, "P5 {THUMB_WIDTH} {} 255", thumb.height()).unwrap();
    file.write_all(thumb.luma()).unwrap();
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (width, height): (usize, usize) = (args[0].parse().unwrap(), args[1].parse().unwrap());
    let luma = std::fs::read(&args[2]).unwrap();
    let lines = std::fs::read_to_string(&args[3]).unwrap();
    let text = "name = \"clip\"\n[stream]\nurl = \"rtsp://127.0.0.1/x\"\n";
    let camera = Camera::parse("clip.toml", text, &Catalogue::builtin()).unwrap();
    let mut watch = SceneWatch::new(Arc::new(camera));
    let chroma_bytes = vec![128; width * height];
    let (mut in_thumb, mut in_look, mut looks) = (Duration::ZERO, Duration::ZERO, 0_u32);
    for (frame, line) in luma.chunks_exact(width * height).zip(lines.lines()) {
        let (ms, found) = detections(line);
        let chroma = Chroma::Nv12 { uv: Plane { data: &chroma_bytes, stride: width } };
        let luma = Plane { data: frame, stride: width };
        let view = YuvView { width, height, luma, chroma, matrix: Matrix::Bt601, range: Range::Limited };
        let start = Instant::now();
        let thumb = Thumb::from_view(&view);
        in_thumb += start.elapsed();
        let start = Instant::now();
        let scene = watch.look(Timestamp::from_millis(1_782_871_200_000 + ms), &thumb, &found, &[]);
        in_look += start.elapsed();
        if !scene.proposals.is_empty() || scene.fault.is_some() || scene.is_veiled {
            println!("{:6.1} s {:?} veiled {}", ms as f64 / 1000.0, scene.fault, scene.is_veiled);
            for p in &scene.proposals {
                let since_s = (p.since.as_millis() - 1_782_871_200_000) as f64 / 1000.0;
                println!(
                    "         {:?} {:?} since {since_s:.1} strength {:.2}",
                    p.kind, p.bounds, p.strength
                );
            }
        }
        if looks.is_multiple_of(20) {
            write_pgm(format!("{}/{looks:04}-thumb.pgm", args[4]), &thumb);
            write_pgm(format!("{}/{looks:04}-normal.pgm", args[4]), &watch.normal().unwrap());
        }
        looks += 1;
    }
    println!("{looks} looks, {:?} a thumb, {:?} a look", in_thumb / looks, in_look / looks);
    let state = serde_json::to_string(watch.state()).unwrap();
    println!("state: {} bytes of JSON", state.len());
}
