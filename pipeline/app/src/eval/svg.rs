//! Plots as SVG: precision over recall, and who was taken for whom.
//!
//! In: numbers and names. Out: SVG text that stands alone. Written by hand: two plots of straight lines and
//! squares need no library. Colours are Okabe and Ito's, told apart by the colour-blind; beyond seven classes
//! the lines are dashed too.

use std::fmt::Write as _;

/// One class's curve.
pub(super) struct Curve<'a> {
    /// What the legend calls it.
    pub(super) name: &'a str,
    /// AP at an IoU of 0.5.
    pub(super) ap50: f64,
    /// Precision at recalls of 0, 0.01 .. 1.
    pub(super) precisions: &'a [f64],
    /// Recall and precision at the manifest's threshold.
    pub(super) now: Option<(f64, f64)>,
}

const COLOURS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];
const DASHES: [&str; 3] = ["none", "7 4", "2 3"];
const INK: &str = "#222222";
const FAINT: &str = "#dddddd";
const FONT: &str = "font-family=\"system-ui, 'Noto Sans', 'DejaVu Sans', sans-serif\"";

/// Side of the field of [`precision_recall`], pixels.
const FIELD: f64 = 420.0;
/// Space at the left and at the top of it.
const LEFT: f64 = 64.0;
const TOP: f64 = 64.0;
const LEGEND_WIDTH: f64 = 250.0;

/// Text that may stand between tags and in attributes.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn opening(width: f64, height: f64, title: &str, under: &str) -> String {
    let (title, under) = (escaped(title), escaped(under));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" {FONT} font-size=\"13\" fill=\"{INK}\" role=\"img\">\n<title>{title}</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"20\" y=\"26\" font-size=\"16\" font-weight=\"600\">{title}</text>\n\
         <text x=\"20\" y=\"45\" fill=\"#666666\">{under}</text>\n"
    )
}

/// Precision over recall, a line a class, a dot where the manifest's threshold puts it.
pub(super) fn precision_recall(title: &str, under: &str, curves: &[Curve<'_>]) -> String {
    let legend = 24.0 * curves.len() as f64 + 50.0;
    let (width, height) = (LEFT + FIELD + LEGEND_WIDTH, TOP + FIELD.max(legend) + 60.0);
    let mut svg = opening(width, height, title, under);
    let (x, y) = (|recall: f64| LEFT + recall * FIELD, |precision: f64| TOP + (1.0 - precision) * FIELD);
    for step in 0..=5 {
        let at = f64::from(step) / 5.0;
        let (across, up) = (x(at), y(at));
        let _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {up:.1}h{FIELD}M{across:.1} {TOP}v{FIELD}\" stroke=\"{FAINT}\"/>\n\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{at:.1}</text>\n\
             <text x=\"{across:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{at:.1}</text>",
            LEFT - 8.0,
            up + 4.5,
            TOP + FIELD + 20.0
        );
    }
    let (middle, below) = (LEFT + FIELD / 2.0, TOP + FIELD + 44.0);
    let _ = writeln!(
        svg,
        "<text x=\"{middle}\" y=\"{below}\" text-anchor=\"middle\">recall</text>\n\
         <text transform=\"translate(20 {}) rotate(-90)\" text-anchor=\"middle\">precision</text>",
        TOP + FIELD / 2.0
    );
    for (at, curve) in curves.iter().enumerate() {
        let (colour, dash) = style(at);
        let mut path = String::new();
        for (place, precision) in curve.precisions.iter().enumerate() {
            let recall = place as f64 / (curve.precisions.len() - 1) as f64;
            let _ =
                write!(path, "{}{:.1} {:.1}", if place == 0 { 'M' } else { 'L' }, x(recall), y(*precision));
            // Beyond the last find there is no precision to draw.
            if *precision == 0.0 {
                break;
            }
        }
        let _ = writeln!(
            svg,
            "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2.2\" \
             stroke-linejoin=\"round\" stroke-dasharray=\"{dash}\"/>"
        );
    }
    // Dots over all lines.
    for (at, curve) in curves.iter().enumerate() {
        if let Some((recall, precision)) = curve.now {
            let _ = writeln!(svg, "{}", dot(x(recall), y(precision), style(at).0));
        }
    }
    legend_of(&mut svg, curves);
    svg + "</svg>\n"
}

fn legend_of(svg: &mut String, curves: &[Curve<'_>]) {
    let left = LEFT + FIELD + 24.0;
    for (at, curve) in curves.iter().enumerate() {
        let ((colour, dash), up) = (style(at), TOP + 14.0 + 24.0 * at as f64);
        let _ = writeln!(
            svg,
            "<path d=\"M{left} {up}h28\" stroke=\"{colour}\" stroke-width=\"2.2\" stroke-dasharray=\"{dash}\"/>\n\
             <text x=\"{}\" y=\"{}\">{}</text>\n<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{:.3}</text>",
            left + 36.0,
            up + 4.5,
            escaped(curve.name),
            LEFT + FIELD + LEGEND_WIDTH - 16.0,
            up + 4.5,
            curve.ap50
        );
    }
    let up = TOP + 22.0 + 24.0 * curves.len() as f64;
    let _ = writeln!(
        svg,
        "{}<text x=\"{}\" y=\"{}\" fill=\"#666666\">at the manifest's threshold</text>\n\
         <text x=\"{}\" y=\"{}\" text-anchor=\"end\" fill=\"#666666\">AP50</text>",
        dot(left + 14.0, up, "#666666"),
        left + 36.0,
        up + 4.5,
        LEFT + FIELD + LEGEND_WIDTH - 16.0,
        TOP - 6.0
    );
}

fn style(at: usize) -> (&'static str, &'static str) {
    (COLOURS[at % COLOURS.len()], DASHES[at / COLOURS.len() % DASHES.len()])
}

fn dot(x: f64, y: f64, colour: &str) -> String {
    format!(
        "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\" fill=\"{colour}\" stroke=\"#ffffff\" stroke-width=\"1.5\"/>"
    )
}

/// Counts by truth (down) and by what was said (across); the last of each is the background. A square is as
/// dark as its share of its row.
pub(super) fn confusion(title: &str, under: &str, names: &[&str], counts: &[Vec<usize>]) -> String {
    let cell = (520.0 / counts.len() as f64).clamp(34.0, 84.0);
    let longest =
        names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max("background".len()) as f64;
    let (left, top) = (52.0 + 7.6 * longest, 84.0 + 5.2 * longest);
    let side = cell * counts.len() as f64;
    let (width, height) = ((left + side + 5.2 * longest).max(460.0), top + side + 44.0);
    let mut svg = opening(width, height, title, under);
    let name = |at: usize, background: &'static str| escaped(names.get(at).copied().unwrap_or(background));
    for (row, line) in counts.iter().enumerate() {
        let all: usize = line.iter().sum();
        let up = top + cell * row as f64;
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            left - 10.0,
            up + cell / 2.0 + 4.5,
            name(row, "nothing there")
        );
        for (column, &count) in line.iter().enumerate() {
            let share = if all > 0 { count as f64 / all as f64 } else { 0.0 };
            square(&mut svg, [left + cell * column as f64, up, cell], share, count);
        }
    }
    for column in 0..counts.len() {
        let _ = writeln!(
            svg,
            "<text transform=\"translate({:.1} {:.1}) rotate(-35)\">{}</text>",
            left + cell * (column as f64 + 0.45),
            top - 10.0,
            name(column, "not found")
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">what the model says</text>\n\
         <text transform=\"translate(24 {:.1}) rotate(-90)\" text-anchor=\"middle\">what is there</text>",
        left + side / 2.0,
        top + side + 28.0,
        top + side / 2.0
    );
    svg + "</svg>\n"
}

fn square(svg: &mut String, [x, y, cell]: [f64; 3], share: f64, count: usize) {
    // White to a dark blue, in equal steps of each channel.
    let mix = |full: f64| 255.0 + (full - 255.0) * share;
    let fill = format!("rgb({:.0},{:.0},{:.0})", mix(8.0), mix(69.0), mix(130.0));
    let ink = if share > 0.6 {
        "#ffffff"
    } else if count == 0 {
        "#bbbbbb"
    } else {
        INK
    };
    let (middle, size) = (cell / 2.0, if cell > 50.0 { 14 } else { 11 });
    let _ = writeln!(
        svg,
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{cell:.1}\" height=\"{cell:.1}\" fill=\"{fill}\" stroke=\"{FAINT}\"/>\
         <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" font-size=\"{size}\" fill=\"{ink}\">{count}</text>",
        x + middle,
        y + middle + 5.0
    );
}
