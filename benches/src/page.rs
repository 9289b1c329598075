//! A run as a page with plots, and two runs beside each other.
//!
//! In: figures. Out: HTML that stands alone: no script, nothing asked of the network.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::figures::{Figures, Journey};
use crate::plot::{Bar, Line, bars, lines};
use crate::{compare, table};

const STYLE: &str = "body{font:15px/1.5 system-ui,'Noto Sans',sans-serif;color:#222;max-width:820px;margin:2em auto;padding:0 1em}\
h1{font-size:1.5em;margin-bottom:0}p.of{color:#666;margin-top:.2em}svg{max-width:100%;height:auto;margin:.6em 0}\
pre{background:#f4f4f4;padding:1em;overflow:auto}";

/// One run's page.
pub(crate) fn journey(journey: &Journey) -> String {
    let milli = |figures: &Figures| -> Vec<f64> { figures.rounds.iter().map(|round| 1e3 * round).collect() };
    let rounds = [
        milli(&journey.service),
        journey.bare.as_ref().map(|bare| milli(&bare.figures)).unwrap_or_default(),
        journey.rival.as_ref().map(|rival| milli(&rival.figures)).unwrap_or_default(),
    ];
    let mut costs =
        vec![Bar { name: "service", parts: vec![1e3 * journey.service.cpu_s_per_look], rounds: &rounds[0] }];
    if let Some(bare) = &journey.bare {
        let parts = vec![1e3 * bare.decode_cpu_s_per_look, 1e3 * bare.infer_cpu_s_per_look];
        costs.push(Bar { name: "bare: decode + infer", parts, rounds: &rounds[1] });
    }
    if let Some(rival) = &journey.rival {
        let parts = vec![1e3 * rival.figures.cpu_s_per_look];
        costs.push(Bar { name: "rival", parts, rounds: &rounds[2] });
    }
    let course = &journey.course;
    let looks =
        Line { name: "looks", points: course.iter().map(|now| (now.at_s, now.looks as f64)).collect() };
    let memory =
        Line { name: "resident", points: course.iter().map(|now| (now.at_s, now.rss_mib)).collect() };
    let body = html! {
        (PreEscaped(bars("CPU time a look, median and rounds", "ms", &costs)))
        (PreEscaped(lines("Looks in the last round", "looks", "seconds", &[looks])))
        (PreEscaped(lines("Memory in the last round", "MiB", "seconds", &[memory])))
        pre { (table::journey(journey)) }
    };
    whole("What a look costs", &table::heading(journey), journey, &body)
}

/// Two runs' page.
pub(crate) fn comparison(before: &Journey, after: &Journey) -> String {
    let costs: Vec<Bar<'_>> = [("before", before), ("after", after)]
        .into_iter()
        .map(|(name, run)| Bar { name, parts: vec![1e3 * run.service.cpu_s_per_look], rounds: &[] })
        .collect();
    let over: Vec<Bar<'_>> = [("before", before), ("after", after)]
        .into_iter()
        .filter_map(|(name, run)| Some(Bar { name, parts: vec![run.ratios.bare?], rounds: &[] }))
        .collect();
    let body = html! {
        @for what in compare::unlike(before, after) { p { "Not asked the same, " (what) "." } }
        (PreEscaped(bars("CPU time a look", "ms", &costs)))
        @if over.len() == 2 { (PreEscaped(bars("CPU time a look over the bare limit's", "×", &over))) }
        h2 { "Before" } pre { (table::journey(before)) }
        h2 { "After" } pre { (table::journey(after)) }
    };
    whole("Two runs", &table::heading(after), after, &body)
}

fn whole(title: &str, under: &str, journey: &Journey, body: &Markup) -> String {
    let machine = &journey.machine;
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head { meta charset="utf-8"; title { (title) } style { (PreEscaped(STYLE)) } }
            body {
                h1 { (title) }
                p.of { (under) }
                (body)
                p.of { (machine.cpu) ", " (machine.cores) " cores, Linux " (machine.kernel) ", load " (machine.load) }
            }
        }
    };
    page.into_string()
}
