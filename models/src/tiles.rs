//! A picture in tiles, for what is too small in the whole of it.
//!
//! In come the size of a picture and the parts of it that ask for tiles, out go windows for the detector; in
//! come each window's detections, out goes one list in which a thing stands once, however the windows cut it.
//! Nothing here reads a pixel or runs a model: both halves are arithmetic on boxes.
//!
//! Overlapping boxes alone do not tell one thing from two: the halves of a cut lorry hardly overlap, and two
//! people before each other do. What tells them is what both windows see: one thing looks the same in the
//! part that two windows share.

use calib::space::ImageBox;
use logic::look::Detection;

/// Most windows of one camera; each costs as much as another look at a whole picture.
pub const WINDOWS_MAX: usize = 12;
/// Share of its side that a window has in common with the next: what is smaller is whole in one of them.
pub const OVERLAP: f32 = 0.2;
/// Without a size of their own, tiles grow from the model's own scale up to this many times as coarse before
/// they count as too many.
pub const STRETCH_MAX: f32 = 2.0;
/// Tiles that shrink less than this share of what the whole picture shrinks are worth their run.
const WORTH_MAX: f32 = 0.8;
/// Least agreement (intersection over union) of two boxes in the part that both windows see.
const SAME_IOU_MIN: f32 = 0.4;
/// A box that lies this far inside another of its class is part of it, unless one window told them apart.
const INSIDE_MIN: f32 = 0.7;
/// A box that ends so near an inner edge of its window, as a share of the window, may be cut by it.
const EDGE: f32 = 0.02;

/// A part of the picture that asks for tiles.
pub struct Region<'r> {
    /// The least box around it.
    pub bounds: ImageBox,
    /// Whether it reaches into a box: tiles that would show none of it are left out.
    pub touches: &'r dyn Fn(&ImageBox) -> bool,
    /// Pixels of the picture across a tile; `None` for the model's own width.
    pub width_px: Option<u32>,
}

/// A window of a picture, in its pixels. Its corner is on even pixels, as 4:2:0 wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Column and row of its top left pixel.
    pub at: [usize; 2],
    /// Width and height.
    pub size: [usize; 2],
}

impl Window {
    /// The window as a share of the picture of that size.
    pub fn in_image(&self, picture: [usize; 2]) -> ImageBox {
        let share = |axis: usize, pixel: usize| pixel as f32 / picture[axis] as f32;
        ImageBox {
            x0: share(0, self.at[0]),
            y0: share(1, self.at[1]),
            x1: share(0, self.at[0] + self.size[0]),
            y1: share(1, self.at[1] + self.size[1]),
        }
    }

    fn holds(&self, other: &Self) -> bool {
        (0..2).all(|axis| {
            self.at[axis] <= other.at[axis]
                && other.at[axis] + other.size[axis] <= self.at[axis] + self.size[axis]
        })
    }
}

/// A box in shares of `window` as shares of the picture that the window is a part of.
pub fn image_from_window(window: &ImageBox, bounds: ImageBox) -> ImageBox {
    let (width, height) = (window.width(), window.height());
    ImageBox {
        x0: window.x0 + bounds.x0 * width,
        y0: window.y0 + bounds.y0 * height,
        x1: window.x0 + bounds.x1 * width,
        y1: window.y0 + bounds.y1 * height,
    }
}

/// The windows of one camera's picture.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Where to look beside the whole picture; at most [`WINDOWS_MAX`], none where tiles would gain nothing.
    pub windows: Vec<Window>,
    /// Where the regions ask for more than that: `windows` are then coarser than asked for.
    pub over: Option<Over>,
}

/// More windows asked for than a camera may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Over {
    /// How many it would take.
    pub windows: usize,
    /// Pixels across a tile of which few enough would do.
    pub width_px: usize,
}

/// Lays windows over the regions of a picture for a model of such an input, both `[width, height]`: at the
/// model's own scale where that takes no more than [`WINDOWS_MAX`], else as much coarser as it must be.
pub fn plan(picture: [usize; 2], regions: &[Region<'_>], input: [usize; 2]) -> Plan {
    let mut over = None;
    let mut stretch = 1.0;
    loop {
        let windows = lay(picture, regions, input, stretch);
        if windows.len() <= WINDOWS_MAX {
            let width_px = windows.iter().map(|window| window.size[0]).max().unwrap_or(picture[0]);
            let over = over.map(|windows| Over { windows, width_px });
            return Plan { windows, over };
        }
        if stretch >= STRETCH_MAX {
            over = over.or(Some(windows.len()));
        }
        // Ends: a tile as large as the picture is no window at all.
        stretch += 0.25;
    }
}

/// The windows at one stretch. A width that was asked for gives way only after the others have.
fn lay(picture: [usize; 2], regions: &[Region<'_>], input: [usize; 2], stretch: f32) -> Vec<Window> {
    let shrunk = |side: [usize; 2]| (side[0] as f32 / input[0] as f32).max(side[1] as f32 / input[1] as f32);
    let mut windows: Vec<Window> = Vec::new();
    for region in regions {
        let width = match region.width_px {
            Some(px) => px as f32 * (stretch / STRETCH_MAX).max(1.0),
            None => input[0] as f32 * stretch,
        };
        let height = width * input[1] as f32 / input[0] as f32;
        let tile = [width, height].map(|side| (side as usize).max(2) / 2 * 2);
        if shrunk(tile) > WORTH_MAX * shrunk(picture) {
            continue;
        }
        let bounds = &region.bounds;
        // Things stand up from their feet, and their feet are what lies in a zone.
        let across = axis([bounds.x0, bounds.x1], [OVERLAP / 2.0, OVERLAP / 2.0], tile[0], picture[0]);
        let down = axis([bounds.y0, bounds.y1], [OVERLAP, OVERLAP / 2.0], tile[1], picture[1]);
        let all = down.iter().flat_map(|&y| across.iter().map(move |&x| (x, y)));
        let all = all.map(|((x, width), (y, height))| Window { at: [x, y], size: [width, height] });
        windows.extend(all.filter(|window| (region.touches)(&core(window, picture))));
    }
    let mut kept: Vec<Window> = Vec::new();
    for (at, window) in windows.iter().enumerate() {
        let mut others = windows.iter().enumerate().filter(|(other, _)| *other != at);
        let is_shown = others.any(|(other, by)| by.holds(window) && (!window.holds(by) || other < at));
        if !is_shown {
            kept.push(*window);
        }
    }
    kept
}

/// Starts and lengths of the windows along one axis, for a span in shares of it and its margins in shares of
/// a tile. They are spread evenly, so that the overlap is [`OVERLAP`] or more.
fn axis([low, high]: [f32; 2], margins: [f32; 2], tile: usize, picture: usize) -> Vec<(usize, usize)> {
    let tile = tile.min(picture);
    let (side, limit) = (tile as f32, picture as f32);
    let low = (low * limit - margins[0] * side).max(0.0);
    let high = (high * limit + margins[1] * side).min(limit);
    let last = limit - side;
    let even = |start: f32| {
        // The far edge stays where it is when the near one moves to an even pixel.
        let start = start.round().clamp(0.0, last) as usize;
        (start / 2 * 2, tile + start % 2)
    };
    if high - low <= side {
        return vec![even((low + high - side) / 2.0)];
    }
    let count = ((high - low - OVERLAP * side) / ((1.0 - OVERLAP) * side)).ceil().max(2.0);
    let step = (high - low - side) / (count - 1.0);
    (0..count as usize).map(|at| even(low + at as f32 * step)).collect()
}

/// The part of a window that is not better seen in the next one.
fn core(window: &Window, picture: [usize; 2]) -> ImageBox {
    let whole = window.in_image(picture);
    let (dx, dy) = (whole.width() * OVERLAP / 2.0, whole.height() * OVERLAP / 2.0);
    ImageBox {
        x0: if window.at[0] == 0 { 0.0 } else { whole.x0 + dx },
        y0: if window.at[1] == 0 { 0.0 } else { whole.y0 + dy },
        x1: if window.at[0] + window.size[0] >= picture[0] { 1.0 } else { whole.x1 - dx },
        y1: if window.at[1] + window.size[1] >= picture[1] { 1.0 } else { whole.y1 - dy },
    }
}

/// What one window showed; the whole picture is one too.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// The window as a share of the picture.
    pub window: ImageBox,
    /// What was seen in it, in shares of the picture.
    pub detections: Vec<Detection>,
}

/// One box with where it comes from.
struct Seen {
    part: usize,
    detection: Detection,
    is_cut: bool,
}

/// Everything that the parts of one picture show, each thing once, best first. A thing that some window shows
/// whole has the surest such box; one that every window cuts has the box around its pieces. At most 64 parts.
pub fn merge(parts: &[Part]) -> Vec<Detection> {
    let seen: Vec<Seen> = (parts.iter().enumerate())
        .flat_map(|(at, part)| part.detections.iter().map(move |detection| (at, part, *detection)))
        .map(|(part, of, detection)| Seen { part, detection, is_cut: is_cut(&detection.bounds, &of.window) })
        .collect();
    let mut things: Vec<(Detection, u64)> =
        groups(parts, &seen).iter().map(|group| as_one(group, &seen)).collect();
    things.sort_by(|a, b| b.0.bounds.area().total_cmp(&a.0.bounds.area()));
    let mut kept: Vec<(Detection, u64)> = Vec::new();
    for (thing, parts) in things {
        let larger = kept.iter_mut().find(|(larger, seen_by)| {
            larger.class == thing.class
                && seen_by & parts == 0
                && larger.bounds.intersection(&thing.bounds) >= INSIDE_MIN * thing.bounds.area()
        });
        match larger {
            Some((larger, seen_by)) => {
                larger.score = larger.score.max(thing.score);
                *seen_by |= parts;
            }
            None => kept.push((thing, parts)),
        }
    }
    let mut merged: Vec<Detection> = kept.into_iter().map(|(thing, _)| thing).collect();
    merged.sort_by(|a, b| b.score.total_cmp(&a.score));
    merged
}

/// Boxes that show one thing, as places in `seen`: the best agreeing ones first, and never two of one part,
/// since the detector itself told those apart.
fn groups(parts: &[Part], seen: &[Seen]) -> Vec<Vec<usize>> {
    let mut joins: Vec<(f32, usize, usize)> = Vec::new();
    for (b, that) in seen.iter().enumerate() {
        for (a, this) in seen[..b].iter().enumerate() {
            if this.part == that.part || this.detection.class != that.detection.class {
                continue;
            }
            let Some(common) = shared(&parts[this.part].window, &parts[that.part].window) else { continue };
            let (Some(this), Some(that)) =
                (shared(&this.detection.bounds, &common), shared(&that.detection.bounds, &common))
            else {
                continue;
            };
            let agreement = this.iou(&that);
            if agreement >= SAME_IOU_MIN {
                joins.push((agreement, a, b));
            }
        }
    }
    joins.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    let mut group_of: Vec<usize> = (0..seen.len()).collect();
    let mut groups: Vec<Vec<usize>> = (0..seen.len()).map(|at| vec![at]).collect();
    for (_, a, b) in joins {
        let (a, b) = (group_of[a], group_of[b]);
        let is_told_apart =
            groups[a].iter().any(|&x| groups[b].iter().any(|&y| seen[x].part == seen[y].part));
        if a != b && !is_told_apart {
            let joined = std::mem::take(&mut groups[b]);
            joined.iter().for_each(|&at| group_of[at] = a);
            groups[a].extend(joined);
        }
    }
    groups.retain(|group| !group.is_empty());
    groups
}

/// One group as one thing, with the parts that showed it as bits.
fn as_one(group: &[usize], seen: &[Seen]) -> (Detection, u64) {
    let members = || group.iter().map(|&at| &seen[at]);
    let surest = members().max_by(|a, b| a.detection.score.total_cmp(&b.detection.score));
    let whole = members().filter(|member| !member.is_cut);
    let whole = whole.max_by(|a, b| a.detection.score.total_cmp(&b.detection.score));
    let around = members().map(|member| member.detection.bounds).reduce(|a, b| ImageBox {
        x0: a.x0.min(b.x0),
        y0: a.y0.min(b.y0),
        x1: a.x1.max(b.x1),
        y1: a.y1.max(b.y1),
    });
    let mut thing = surest.map_or(seen[group[0]].detection, |member| member.detection);
    thing.bounds = whole.map(|member| member.detection.bounds).or(around).unwrap_or(thing.bounds);
    (thing, members().fold(0, |parts, member| parts | 1 << (member.part % 64)))
}

/// Whether a box ends at an edge of its window that is not the picture's.
fn is_cut(bounds: &ImageBox, window: &ImageBox) -> bool {
    let (dx, dy) = (window.width() * EDGE, window.height() * EDGE);
    (window.x0 > 0.0 && bounds.x0 - window.x0 < dx)
        || (window.y0 > 0.0 && bounds.y0 - window.y0 < dy)
        || (window.x1 < 1.0 && window.x1 - bounds.x1 < dx)
        || (window.y1 < 1.0 && window.y1 - bounds.y1 < dy)
}

/// What two boxes have in common, where it is more than an edge.
fn shared(a: &ImageBox, b: &ImageBox) -> Option<ImageBox> {
    let common = ImageBox { x0: a.x0.max(b.x0), y0: a.y0.max(b.y0), x1: a.x1.min(b.x1), y1: a.y1.min(b.y1) };
    (common.width() > 0.0 && common.height() > 0.0).then_some(common)
}

#[cfg(test)]
#[path = "tiles_tests.rs"]
mod tests;
