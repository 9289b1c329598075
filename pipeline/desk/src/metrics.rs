//! What an operator's Prometheus reads. In: every answered request, counts of the store. Out: text format 0.0.4.
//! Labels are bounded: routes come from the route table, methods and statuses from closed sets.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};

use crate::store::Counts;

/// Method, route, status.
type Label = (&'static str, &'static str, u16);

/// Requests answered since the start.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    answered: Mutex<BTreeMap<Label, u64>>,
}

impl Requests {
    /// Counts one answer.
    pub(crate) fn answered(&self, method: &'static str, route: &'static str, status: u16) {
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        *answered.entry((method, route, status)).or_default() += 1;
    }

    /// The text; `counts` is none where the store does not answer.
    pub(crate) fn text(&self, counts: Option<Counts>) -> String {
        let mut text = String::new();
        family(&mut text, "desk_up", "gauge", "1 while the desk answers.");
        line(&mut text, format_args!("desk_up 1"));
        family(&mut text, "desk_store_up", "gauge", "1 while the store can be read.");
        line(&mut text, format_args!("desk_store_up {}", u8::from(counts.is_some())));
        if let Some(counts) = counts {
            family(&mut text, "desk_cases_total", "counter", "Cases ever filed.");
            line(&mut text, format_args!("desk_cases_total {}", counts.reported + counts.closed));
            family(&mut text, "desk_cases", "gauge", "Cases by where they stand.");
            line(&mut text, format_args!("desk_cases{{state=\"reported\"}} {}", counts.reported));
            line(&mut text, format_args!("desk_cases{{state=\"closed\"}} {}", counts.closed));
            family(&mut text, "desk_sightings_total", "counter", "Sightings counted after filing.");
            line(&mut text, format_args!("desk_sightings_total {}", counts.sightings));
        }
        family(&mut text, "desk_http_requests_total", "counter", "Requests answered.");
        let answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        for ((method, route, status), count) in answered.iter() {
            line(
                &mut text,
                format_args!(
                    "desk_http_requests_total{{method=\"{method}\",route=\"{route}\",status=\"{status}\"}} {count}"
                ),
            );
        }
        text
    }
}

fn family(text: &mut String, name: &str, kind: &str, help: &str) {
    line(text, format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_route_and_status() {
        let requests = Requests::default();
        requests.answered("POST", "/api/v1/cases", 201);
        requests.answered("POST", "/api/v1/cases", 201);
        let text = requests.text(Some(Counts { reported: 3, closed: 1, sightings: 5 }));
        let wanted = "desk_http_requests_total{method=\"POST\",route=\"/api/v1/cases\",status=\"201\"} 2\n";
        assert!(text.contains(wanted), "{text}");
        assert!(text.contains("desk_cases_total 4\n"));
        assert!(requests.text(None).contains("desk_store_up 0\n"));
    }
}
