//! Whether a case, a sighting or a query makes sense. In: values of the right shape. Out: every fault at once,
//! each with its field and the mend. Never a look at the store or the disk.

use calib::time::Timestamp;
use logic::case::{Case, CaseState, Evidence, EvidenceRole, Sighting, Source};
use uuid::Uuid;

use crate::error::Fault;
use crate::sha::Sha;
use crate::store::{Cursor, Filter, StateName};

/// CGCS2000 in degrees.
const CRS: &str = "EPSG:4490";
/// Names, codes and ids.
const TEXT_CHARS_MAX: usize = 200;
/// A reason for closing.
const REASON_CHARS_MAX: usize = 1000;
/// Sources of one case, pieces of evidence of one post.
const LIST_MAX: usize = 64;
/// A list's length where none is asked for.
const LIMIT_DEFAULT: usize = 50;
/// A list's greatest length.
const LIMIT_MAX: usize = 500;

/// Collects faults.
#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    fn unless(&mut self, fine: bool, field: &str, what: impl Into<String>, mend: &str) {
        if !fine {
            self.0.push(Fault::invalid(field, what, mend));
        }
    }

    /// Not empty, not endless, no control characters.
    fn text(&mut self, field: &str, text: &str) {
        let length = text.chars().count();
        self.unless(!text.trim().is_empty(), field, "is empty", "write it");
        self.unless(
            length <= TEXT_CHARS_MAX,
            field,
            format!("has {length} characters"),
            "write no more than 200",
        );
        self.unless(!text.chars().any(char::is_control), field, "has control characters", "leave them out");
    }

    fn optional_text(&mut self, field: &str, text: Option<&String>) {
        if let Some(text) = text {
            self.text(field, text);
        }
    }

    fn uuid(&mut self, field: &str, text: &str) {
        // Only the usual spelling: one id has one text.
        let usual = Uuid::parse_str(text).is_ok_and(|id| id.hyphenated().to_string() == text);
        self.unless(usual, field, "is no UUID", "write a UUID in lower case with hyphens");
    }

    fn sha256(&mut self, field: &str, text: &str) {
        self.unless(
            Sha::parse(text).is_some(),
            field,
            "is no SHA-256",
            "write 64 hexadecimal digits in lower case",
        );
    }

    fn range(&mut self, field: &str, value: f64, low: f64, high: f64) {
        self.unless(
            (low..=high).contains(&value),
            field,
            format!("is {value}"),
            &format!("write a number in {low}..={high}"),
        );
    }

    fn key(&mut self, header: Option<&str>, key: &str) {
        let printable =
            (1..=TEXT_CHARS_MAX).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
        self.unless(
            printable,
            "idempotency_key",
            "is no key",
            "write 1 to 200 printable ASCII characters without spaces",
        );
        let what = match header {
            None => "is missing",
            Some(_) => "differs from idempotency_key in the body",
        };
        self.unless(header == Some(key), "Idempotency-Key", what, "send the body's idempotency_key in it");
    }

    fn source(&mut self, field: &str, source: &Source) {
        self.text(&format!("{field}.id"), &source.id);
        self.optional_text(&format!("{field}.zone"), source.zone.as_ref());
        self.optional_text(&format!("{field}.preset"), source.preset.as_ref());
    }

    fn evidence(&mut self, pieces: &[Evidence]) {
        self.unless(
            pieces.len() <= LIST_MAX,
            "evidence",
            format!("has {} pieces", pieces.len()),
            "send no more than 64 with one post",
        );
        for (index, piece) in pieces.iter().enumerate() {
            let field = |name: &str| format!("evidence[{index}].{name}");
            self.sha256(&field("sha256"), &piece.sha256);
            self.unless(
                piece.masked,
                &field("masked"),
                "is false",
                "mask faces and plates; an unmasked copy does not leave the vault",
            );
            let uri = evidence_uri(&piece.sha256);
            self.unless(piece.uri == uri, &field("uri"), "is elsewhere", &format!("write {uri}"));
        }
        let latest = pieces.iter().filter(|piece| piece.role == EvidenceRole::Latest).count();
        self.unless(latest <= 1, "evidence", "has more than one `latest`", "send the latest only");
    }

    fn order(&mut self, case: &Case) {
        self.unless(
            case.first_seen <= case.confirmed_at,
            "confirmed_at",
            "is before first_seen",
            "order the times: first_seen <= confirmed_at <= last_seen",
        );
        self.unless(
            case.confirmed_at <= case.last_seen,
            "last_seen",
            "is before confirmed_at",
            "order the times: first_seen <= confirmed_at <= last_seen",
        );
    }

    fn place(&mut self, case: &Case) {
        if let Some(location) = &case.location {
            self.range("location.lon", location.lon, -180.0, 180.0);
            self.range("location.lat", location.lat, -90.0, 90.0);
            self.range("location.error_m", location.error_m, 0.0, 1e6);
            self.unless(
                location.crs == CRS,
                "location.crs",
                format!("is `{}`", location.crs.escape_debug()),
                "send CGCS2000 degrees as EPSG:4490",
            );
        }
        if let Some(grid) = &case.unit_grid {
            self.text("unit_grid.code", &grid.code);
            self.range("unit_grid.probability", grid.probability, 0.0, 1.0);
            self.unless(
                grid.boundary.len() <= LIST_MAX,
                "unit_grid.boundary",
                format!("names {} cells", grid.boundary.len()),
                &format!("name at most {LIST_MAX}, the most probable first"),
            );
            for (at, candidate) in grid.boundary.iter().take(LIST_MAX).enumerate() {
                self.text(&format!("unit_grid.boundary[{at}].code"), &candidate.code);
                self.range(&format!("unit_grid.boundary[{at}].probability"), candidate.probability, 0.0, 1.0);
            }
        }
        self.optional_text("responsibility_grid", case.responsibility_grid.as_ref());
    }
}

/// Where a piece of evidence is fetched.
pub(crate) fn evidence_uri(sha256: &str) -> String {
    format!("/api/v1/evidence/{sha256}")
}

/// All that is wrong with a posted case.
pub(crate) fn case(header_key: Option<&str>, case: &Case) -> Vec<Fault> {
    let mut faults = Faults::default();
    faults.uuid("case_id", &case.case_id);
    faults.key(header_key, &case.idempotency_key);
    faults.unless(
        case.state == CaseState::Reported,
        "state",
        "is not `reported`",
        "post a case as `reported`; persons move it on",
    );
    if let Some(linked) = &case.linked_case_id {
        faults.uuid("linked_case_id", linked);
        faults.unless(
            linked != &case.case_id,
            "linked_case_id",
            "is the case itself",
            "link an earlier case",
        );
    }
    faults.text("matter.standard_ref", &case.matter.standard_ref);
    faults.text("matter.code", &case.matter.code);
    let spaceless = !case.matter.code.contains(char::is_whitespace);
    faults.unless(spaceless, "matter.code", "has white space", "write the code as in the catalogue");
    faults.text("matter.name", &case.matter.name);
    faults.order(case);
    faults.unless(case.sightings >= 1, "sightings", "is 0", "count the confirmation: 1");
    faults.unless(!case.sources.is_empty(), "sources", "is empty", "say who saw it");
    faults.unless(case.sources.len() <= LIST_MAX, "sources", "has more than 64", "send no more than 64");
    for (index, source) in case.sources.iter().enumerate() {
        faults.source(&format!("sources[{index}]"), source);
        let twice = case.sources[..index].contains(source);
        faults.unless(!twice, &format!("sources[{index}]"), "is there twice", "name each source once");
    }
    faults.place(case);
    faults.range("score", f64::from(case.score), 0.0, 1.0);
    faults.text("model.name", &case.model.name);
    faults.sha256("model.sha256", &case.model.sha256);
    faults.sha256("config_sha256", &case.config_sha256);
    faults.evidence(&case.evidence);
    faults.0
}

/// All that is wrong with a sighting.
pub(crate) fn sighting(header_key: Option<&str>, sighting: &Sighting) -> Vec<Fault> {
    let mut faults = Faults::default();
    faults.key(header_key, &sighting.idempotency_key);
    faults.source("source", &sighting.source);
    faults.range("score", f64::from(sighting.score), 0.0, 1.0);
    faults.evidence(&sighting.evidence);
    faults.0
}

/// What is wrong with a reason for closing.
pub(crate) fn reason(reason: &str) -> Vec<Fault> {
    let mut faults = Faults::default();
    faults.unless(!reason.trim().is_empty(), "reason", "is empty", "say why the case ends");
    let short = reason.chars().count() <= REASON_CHARS_MAX;
    faults.unless(short, "reason", "is too long", "write no more than 1000 characters");
    faults.0
}

/// A list as it was asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Listing {
    /// Which.
    pub(crate) filter: Filter,
    /// How many.
    pub(crate) limit: usize,
    /// From where.
    pub(crate) after: Option<Cursor>,
}

/// Reads the query of a list; a parameter that is empty counts as absent, as forms send it.
///
/// # Errors
/// Every parameter that is unknown, doubled or not understood.
pub(crate) fn listing(query: &[(String, String)]) -> Result<Listing, Vec<Fault>> {
    let mut listing = Listing { filter: Filter::default(), limit: LIMIT_DEFAULT, after: None };
    let mut faults = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for (name, value) in query {
        if seen.contains(&name.as_str()) {
            faults.push(Fault::invalid(name, "is there twice", "give each parameter once"));
            continue;
        }
        seen.push(name);
        if let Err(fault) = parameter(&mut listing, name, value) {
            faults.push(fault);
        }
    }
    if let (Some(since), Some(until)) = (listing.filter.since, listing.filter.until)
        && since >= until
    {
        faults.push(Fault::invalid("until", "is not after since", "ask for since < until"));
    }
    if faults.is_empty() { Ok(listing) } else { Err(faults) }
}

fn parameter(listing: &mut Listing, name: &str, value: &str) -> Result<(), Fault> {
    let filter = &mut listing.filter;
    let known = ["state", "matter", "grid", "camera", "since", "until", "limit", "after"];
    if !known.contains(&name) {
        return Err(Fault::invalid(name, "is no parameter", format!("use {}", known.join(", "))));
    }
    if value.is_empty() {
        return Ok(());
    }
    let wrong =
        |mend: &str| Fault::invalid(name, format!("`{}` is not understood", value.escape_debug()), mend);
    let instant = || {
        // A `+` of an offset arrives as a space from callers that do not encode it.
        value
            .parse::<Timestamp>()
            .map_err(|_| wrong("write RFC 3339 in UTC, for instance 2026-07-01T08:30:00Z"))
    };
    let text = || {
        let fine = value.chars().count() <= 2 * TEXT_CHARS_MAX && !value.chars().any(char::is_control);
        if fine { Ok(value.to_owned()) } else { Err(wrong("write no more than 400 plain characters")) }
    };
    match name {
        "state" => {
            let StateName(state) = value.parse().map_err(|()| wrong("write reported or closed"))?;
            filter.state = Some(state);
        }
        "matter" => match text()?.rsplit_once(' ') {
            Some((standard_ref, code)) => {
                filter.standard_ref = Some(standard_ref.to_owned());
                filter.matter_code = Some(code.to_owned());
            }
            None => filter.matter_code = Some(text()?),
        },
        "grid" => filter.grid = Some(text()?),
        "camera" => filter.camera = Some(text()?),
        "since" => filter.since = Some(instant()?),
        "until" => filter.until = Some(instant()?),
        "limit" => {
            let limit = value.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
            listing.limit = limit.ok_or_else(|| wrong("write a number in 1..=500"))?;
        }
        _ => {
            let after = value.parse().map_err(|()| wrong("give the `next` of the page before, as it was"))?;
            listing.after = Some(after);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(query: &[(&str, &str)]) -> Vec<(String, String)> {
        query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_matter_may_name_its_standard() {
        let listing = listing(&pairs(&[("matter", "GB/T 47678.5-2026 09006"), ("state", "")])).unwrap();
        assert_eq!(listing.filter.standard_ref.as_deref(), Some("GB/T 47678.5-2026"));
        assert_eq!(listing.filter.matter_code.as_deref(), Some("09006"));
        assert_eq!(listing.limit, LIMIT_DEFAULT);
    }

    #[test]
    fn every_wrong_parameter_is_named() {
        let query = pairs(&[
            ("state", "open"),
            ("since", "yesterday"),
            ("limit", "0"),
            ("after", "x"),
            ("colour", "red"),
            ("grid", "a"),
            ("grid", "b"),
        ]);
        let fields: Vec<_> = listing(&query).unwrap_err().into_iter().filter_map(|f| f.field).collect();
        assert_eq!(fields, ["state", "since", "limit", "after", "colour", "grid"]);
    }
}
