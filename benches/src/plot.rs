//! Two plots as SVG: bars beside each other, and lines over time.
//!
//! In: names and numbers. Out: SVG that stands alone. Written by hand, as the plots of `shirong eval`: rectangles and
//! straight lines need no library. Colours are Okabe and Ito's, told apart by the colour-blind.

use std::fmt::Write as _;

const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
const WIDTH: f64 = 760.0;
const LEFT: f64 = 170.0;
const BAR: f64 = 26.0;
const FIELD: f64 = 260.0;

fn opening(height: f64, title: &str) -> String {
    let title = escaped(title);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" font-family=\"system-ui, 'Noto Sans', 'DejaVu Sans', sans-serif\" font-size=\"13\" \
         fill=\"#222222\" role=\"img\">\n<title>{title}</title>\n<rect width=\"100%\" height=\"100%\" \
         fill=\"#ffffff\"/>\n<text x=\"20\" y=\"26\" font-size=\"16\" font-weight=\"600\">{title}</text>\n"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// One bar: its name, its parts from left to right, and single rounds as dots.
pub(crate) struct Bar<'a> {
    pub name: &'a str,
    pub parts: Vec<f64>,
    pub rounds: &'a [f64],
}

/// Bars from zero, `unit` behind each number.
pub(crate) fn bars(title: &str, unit: &str, bars: &[Bar<'_>]) -> String {
    let longest = bars.iter().flat_map(|bar| bar.rounds.iter().copied().chain([bar.parts.iter().sum()]));
    let longest = longest.fold(f64::MIN_POSITIVE, f64::max);
    let x = |value: f64| LEFT + value / longest * (WIDTH - LEFT - 130.0);
    let mut svg = opening(60.0 + bars.len() as f64 * (BAR + 12.0), title);
    for (at, bar) in bars.iter().enumerate() {
        let top = 46.0 + at as f64 * (BAR + 12.0);
        let middle = top + BAR / 2.0;
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 10.0,
            middle + 4.5,
            escaped(bar.name)
        );
        let mut from = 0.0;
        for (part, value) in bar.parts.iter().enumerate() {
            let opacity = if part == 0 { 1.0 } else { 0.55 };
            let _ = writeln!(
                svg,
                "<rect x=\"{:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{BAR}\" fill=\"{}\" fill-opacity=\"{opacity}\"/>",
                x(from),
                x(from + value) - x(from),
                COLOURS[at % COLOURS.len()]
            );
            from += value;
        }
        for round in bar.rounds {
            let _ = writeln!(
                svg,
                "<circle cx=\"{:.1}\" cy=\"{middle:.1}\" r=\"3\" fill=\"#222222\"/>",
                x(*round)
            );
        }
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\">{from:.2} {unit}</text>",
            x(longest) + 12.0,
            middle + 4.5
        );
    }
    svg + "</svg>\n"
}

/// A line: its name, and points of seconds and value.
pub(crate) struct Line<'a> {
    pub name: &'a str,
    pub points: Vec<(f64, f64)>,
}

/// Lines over seconds, from zero up.
pub(crate) fn lines(title: &str, up: &str, across: &str, lines: &[Line<'_>]) -> String {
    let points = || lines.iter().flat_map(|line| line.points.iter());
    let most = |of: fn(&(f64, f64)) -> f64| points().map(of).fold(f64::MIN_POSITIVE, f64::max);
    let (last, highest) = (most(|point| point.0), most(|point| point.1));
    let left = 70.0;
    let right = WIDTH - 150.0;
    let x = |at: f64| left + at / last * (right - left);
    let y = |value: f64| 50.0 + (1.0 - value / highest) * FIELD;
    let mut svg = opening(FIELD + 110.0, title);
    for step in 0..=4 {
        let share = f64::from(step) / 4.0;
        let (level, at) = (y(share * highest), x(share * last));
        let _ = writeln!(
            svg,
            "<path d=\"M{left} {level:.1}H{right}\" stroke=\"#dddddd\"/>\n\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{:.1}</text>\n\
             <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{:.0}</text>",
            left - 8.0,
            level + 4.5,
            share * highest,
            FIELD + 70.0,
            share * last
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n\
         <text transform=\"translate(18 {:.1}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
        f64::midpoint(left, right),
        FIELD + 92.0,
        escaped(across),
        50.0 + FIELD / 2.0,
        escaped(up)
    );
    for (at, line) in lines.iter().enumerate() {
        let colour = COLOURS[at % COLOURS.len()];
        let path: Vec<String> =
            line.points.iter().map(|(a, b)| format!("{:.1} {:.1}", x(*a), y(*b))).collect();
        let _ = writeln!(
            svg,
            "<path d=\"M{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            path.join("L")
        );
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" fill=\"{colour}\">{}</text>",
            right + 10.0,
            60.0 + 20.0 * at as f64,
            escaped(line.name)
        );
    }
    svg + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_numbers_and_names_are_escaped() {
        let svg = bars(
            "a < b",
            "ms",
            &[
                Bar { name: "one", parts: vec![10.0], rounds: &[] },
                Bar { name: "two", parts: vec![2.0, 3.0], rounds: &[5.0] },
            ],
        );
        let widths: Vec<f64> = svg
            .lines()
            .filter(|line| line.contains("fill-opacity"))
            .filter_map(|line| line.split("width=\"").nth(1)?.split('"').next()?.parse().ok())
            .collect();
        assert_eq!(widths.len(), 3);
        assert!((widths[1] + widths[2] - widths[0] / 2.0).abs() < 0.2, "{widths:?}");
        assert!(svg.contains("a &lt; b") && svg.contains("10.00 ms"));
    }

    #[test]
    fn no_points_make_no_broken_plot() {
        let svg = lines("t", "u", "s", &[Line { name: "none", points: Vec::new() }]);
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
