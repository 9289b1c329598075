//! Several seeds one after another, scored together: `seeds FROM COUNT DAYS CAMERAS`. Prints the score as JSON.
#![expect(clippy::print_stdout, reason = "it prints what it found")]

use std::time::Instant;

use sim::{Config, Score, run};

fn main() {
    let given: Vec<u64> = std::env::args().skip(1).filter_map(|text| text.parse().ok()).collect();
    let [from, count, days, cameras] = given[..] else {
        eprintln!("seeds FROM COUNT DAYS CAMERAS");
        std::process::exit(2);
    };
    let (mut scores, mut looks, began) = (Vec::new(), 0, Instant::now());
    for seed in from..from + count {
        let config = Config::of(seed, days as usize, cameras as usize);
        let mut line = |text: &str| {
            if text.contains("\"is_true\":false") && text.contains("opened") {
                eprintln!("{text}");
            }
        };
        match run(&config, &mut line, &mut |_| {}) {
            Ok(outcome) => {
                looks += outcome.looks;
                eprintln!("seed {seed}: {:?}", [outcome.score.all.precision, outcome.score.all.recall]);
                scores.push(outcome.score);
            }
            Err(error) => {
                eprintln!("{error}");
                std::process::exit(1);
            }
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    println!("{}", serde_json::to_string_pretty(&Score::together(&scores)).unwrap_or_default());
    println!("{looks} looks in {seconds:.1} s: {:.0} a second", looks as f64 / seconds);
}
