//! Draws the picture of each rule: `cargo run -p calib --example make_rule_pictures` writes `calib/rules/NAME.svg`.
//!
//! A street from above the kerb: fronts, footway, road. Red is confirmed after its dwell, grey is nothing or another rule's.

use std::fmt::Write;
use std::path::Path;

use calib::rule::RuleKind;

/// What stands in the street.
#[derive(Clone, Copy)]
enum Thing {
    Stall,
    Table,
    Person,
    Tricycle,
    Bag,
    Bin,
    FullBin,
    Truck,
    Bricks,
    Scaffold,
    Shed,
}
use Thing::*;

/// A place of the street, as it is drawn.
#[derive(Clone, Copy)]
enum Zone {
    Fronts,
    Permitted,
    Site,
}

/// Things with the place of their foot, whether the rule confirms them, and what is said of them.
type Group = (&'static [(Thing, f32, f32)], bool, &'static str);

fn main() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    for kind in RuleKind::ALL {
        let (zones, groups) = scene(*kind);
        std::fs::write(folder.join(format!("{}.svg", kind.name())), drawn(zones, groups))?;
    }
    Ok(())
}

fn scene(kind: RuleKind) -> (&'static [Zone], &'static [Group]) {
    match kind {
        RuleKind::StreetVendor => (
            &[],
            &[
                (&[(Stall, 110.0, 178.0), (Person, 158.0, 176.0)], true, "stall with people: 09006"),
                (
                    &[(Tricycle, 260.0, 232.0), (Person, 312.0, 232.0)],
                    true,
                    "sells from a tricycle for four dwells: 09001",
                ),
                (&[(Tricycle, 420.0, 178.0)], false, "parked: nothing"),
                (&[(Stall, 560.0, 178.0)], false, "nobody sells: nothing"),
            ],
        ),
        RuleKind::ShopfrontOverflow => (
            &[Zone::Fronts],
            &[
                (&[(Table, 150.0, 126.0)], true, "foot across the line: 09005"),
                (&[(Table, 330.0, 96.0)], false, "behind the line: the shop's own ground"),
                (
                    &[(Stall, 530.0, 182.0), (Person, 580.0, 182.0)],
                    false,
                    "beyond the strip: a street vendor's",
                ),
            ],
        ),
        RuleKind::NightMarket => (
            &[Zone::Permitted],
            &[
                (
                    &[(Stall, 120.0, 178.0), (Person, 170.0, 178.0)],
                    true,
                    "in the zone, out of its hours: 09002",
                ),
                (&[(Stall, 290.0, 178.0)], false, "left standing: nothing"),
                (&[(Stall, 540.0, 182.0), (Person, 590.0, 182.0)], false, "outside: a street vendor's"),
            ],
        ),
        RuleKind::Litter => (
            &[],
            &[
                (&[(Bag, 130.0, 178.0), (Bag, 152.0, 182.0)], true, "bags on the ground: 06010"),
                (&[(FullBin, 320.0, 178.0), (Bag, 354.0, 180.0)], false, "at a full bin: the bin's matter"),
                (
                    &[(Bag, 500.0, 178.0), (Bag, 524.0, 170.0), (Bricks, 552.0, 180.0), (Bag, 584.0, 180.0)],
                    false,
                    "mixed or large: a spoil heap",
                ),
            ],
        ),
        RuleKind::SpoilHeap => (
            &[],
            &[
                (
                    &[(Bag, 110.0, 178.0), (Bricks, 138.0, 182.0), (Bag, 168.0, 178.0)],
                    true,
                    "rubbish among spoil: 06011",
                ),
                (
                    &[(Bag, 300.0, 180.0), (Bag, 322.0, 172.0), (Bag, 344.0, 180.0), (Bag, 366.0, 176.0)],
                    true,
                    "large: 06011",
                ),
                (&[(Bag, 520.0, 178.0)], false, "one bag: litter"),
            ],
        ),
        RuleKind::OverflowingBin => (
            &[],
            &[
                (
                    &[(FullBin, 120.0, 178.0), (Bag, 152.0, 180.0)],
                    true,
                    "over its rim for the dwell: 06042, once",
                ),
                (&[(Bin, 320.0, 178.0)], false, "closed: nothing"),
                (
                    &[(FullBin, 500.0, 178.0), (Truck, 548.0, 214.0)],
                    false,
                    "being emptied: the look counts neither way",
                ),
            ],
        ),
        RuleKind::PiledMaterial => (
            &[Zone::Site],
            &[
                (&[(Bricks, 130.0, 174.0), (Bricks, 166.0, 174.0)], true, "on the site: 08006"),
                (&[(Bricks, 400.0, 230.0)], true, "on a public way: 06036"),
                (&[(Bricks, 540.0, 178.0), (Bag, 572.0, 180.0)], false, "with rubbish in it: a spoil heap"),
            ],
        ),
        RuleKind::IllegalStructure => (
            &[Zone::Site],
            &[
                (
                    &[(Shed, 110.0, 172.0), (Scaffold, 176.0, 172.0)],
                    true,
                    "grew over days, works beside it: 08016",
                ),
                (&[(Shed, 290.0, 172.0)], false, "grew, no works and no material: nothing"),
                (&[(Scaffold, 540.0, 178.0)], false, "works and nothing that grew: nothing"),
            ],
        ),
    }
}

fn drawn(zones: &[Zone], groups: &[Group]) -> String {
    let mut svg = String::from(concat!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 680 290" font-family="sans-serif" font-size="12">"##,
        r##"<rect width="680" height="290" fill="#fff"/><rect y="10" width="680" height="92" fill="#d9d2c5"/>"##,
        r##"<rect y="102" width="680" height="96" fill="#eceae4"/><rect y="198" width="680" height="56" fill="#b9bcc0"/>"##,
    ));
    for x in (20..680).step_by(110) {
        let _ = write!(svg, r##"<rect x="{x}" y="36" width="70" height="58" fill="#a9b7c2"/>"##);
    }
    for (x, y, words) in [(8, 28, "fronts"), (8, 116, "footway"), (8, 214, "road")] {
        let _ = write!(svg, r##"<text x="{x}" y="{y}" fill="#777" font-size="10">{words}</text>"##);
    }
    for zone in zones {
        let (x, y, width, height, colour, words) = match zone {
            Zone::Fronts => (0, 102, 680, 30, "#d9822b", "shopfront_line"),
            Zone::Permitted => (70, 122, 320, 72, "#2b8a4b", "permitted"),
            Zone::Site => (50, 20, 300, 172, "#2b62a9", "construction_watch"),
        };
        let _ = write!(
            svg,
            r##"<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="{colour}" fill-opacity=".12" stroke="{colour}" stroke-dasharray="5 3"/><text x="{}" y="{}" fill="{colour}" text-anchor="end" font-size="10">{words}</text>"##,
            x + width - 4,
            y + 11
        );
    }
    for (number, (things, is_confirmed, words)) in groups.iter().enumerate() {
        let colour = if *is_confirmed { "#c62828" } else { "#6b6b6b" };
        let mut around = [f32::MAX, f32::MAX, f32::MIN, f32::MIN];
        for &(thing, x, y) in *things {
            let (width, height) = shape(&mut svg, thing, x, y);
            around = [
                around[0].min(x - width / 2.0),
                around[1].min(y - height),
                around[2].max(x + width / 2.0),
                around[3].max(y),
            ];
        }
        let [x0, y0, x1, y1] = around;
        let (line, middle) = (268 + 14 * (number as i32 % 2), (x0 + x1) / 2.0);
        let _ = write!(
            svg,
            r##"<rect x="{}" y="{}" width="{}" height="{}" fill="none" stroke="{colour}" stroke-width="2"{}/><circle cx="{middle}" cy="{y1}" r="3" fill="{colour}"/><text x="{}" y="{line}" fill="{colour}" text-anchor="middle">{words}</text>"##,
            x0 - 3.0,
            y0 - 3.0,
            x1 - x0 + 6.0,
            y1 - y0 + 5.0,
            if *is_confirmed { "" } else { r##" stroke-dasharray="4 3""## },
            middle.clamp(120.0, 560.0)
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// Draws a thing on its foot; its width and height.
fn shape(svg: &mut String, thing: Thing, x: f32, y: f32) -> (f32, f32) {
    let mut rect = |dx: f32, dy: f32, width: f32, height: f32, colour: &str| {
        let (x, y) = (x + dx, y + dy);
        let _ = write!(svg, r##"<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="{colour}"/>"##);
    };
    match thing {
        Stall => {
            rect(-32.0, -64.0, 64.0, 10.0, "#c0504d");
            rect(-2.0, -54.0, 4.0, 54.0, "#7a5c3e");
            rect(-26.0, -24.0, 52.0, 16.0, "#b08d57");
            (64.0, 64.0)
        }
        Table => {
            rect(-24.0, -22.0, 48.0, 6.0, "#b08d57");
            rect(-20.0, -16.0, 4.0, 16.0, "#7a5c3e");
            rect(16.0, -16.0, 4.0, 16.0, "#7a5c3e");
            (48.0, 22.0)
        }
        Person => {
            rect(-4.0, -46.0, 8.0, 8.0, "#5b6b7a");
            rect(-7.0, -38.0, 14.0, 38.0, "#5b6b7a");
            (14.0, 46.0)
        }
        Tricycle => {
            rect(-26.0, -26.0, 36.0, 18.0, "#4f81bd");
            rect(10.0, -20.0, 14.0, 12.0, "#8aa9cf");
            rect(-20.0, -8.0, 8.0, 8.0, "#333");
            rect(12.0, -8.0, 8.0, 8.0, "#333");
            (52.0, 26.0)
        }
        Bag => {
            rect(-9.0, -14.0, 18.0, 14.0, "#3f4a3c");
            rect(-3.0, -18.0, 6.0, 5.0, "#3f4a3c");
            (18.0, 18.0)
        }
        Bin | FullBin => {
            rect(-13.0, -36.0, 26.0, 36.0, "#2e7d4f");
            let lid = if matches!(thing, Bin) { "#245f3d" } else { "#e0d6c0" };
            rect(-15.0, -44.0, 30.0, 9.0, lid);
            (30.0, 44.0)
        }
        Truck => {
            rect(-20.0, -62.0, 80.0, 52.0, "#7f9f6b");
            rect(-12.0, -10.0, 12.0, 10.0, "#333");
            rect(40.0, -10.0, 12.0, 10.0, "#333");
            (120.0, 62.0)
        }
        Bricks => {
            for row in 0..3_u8 {
                rect(-17.0, -8.0 - 9.0 * f32::from(row), 34.0, 7.0, "#b5651d");
            }
            (34.0, 27.0)
        }
        Scaffold => {
            for at in [-24.0, 0.0, 22.0] {
                rect(at, -92.0, 3.0, 92.0, "#7a7a7a");
            }
            for at in [-84.0, -54.0, -24.0] {
                rect(-24.0, at, 50.0, 3.0, "#7a7a7a");
            }
            (52.0, 92.0)
        }
        Shed => {
            rect(-34.0, -60.0, 68.0, 60.0, "#9a8f80");
            rect(-38.0, -68.0, 76.0, 8.0, "#6f6558");
            rect(-8.0, -30.0, 16.0, 30.0, "#5b5247");
            (76.0, 68.0)
        }
    }
}
