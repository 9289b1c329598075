//! What is asked of the store. In: a checked filter, a cursor, an id. Out: cases as they stand, newest
//! confirmation first. Never a change, and never more than a page.

use sqlx::{QueryBuilder, Row, Sqlite};

use calib::time::Timestamp;
use logic::case::{Case, CaseState};

use super::{Store, case_from_json, state_name};

/// A filter form offers no more than this of each kind.
const CHOICES_MAX: i64 = 500;

/// Which cases. Absent: all.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Filter {
    /// Where they stand.
    pub(crate) state: Option<CaseState>,
    /// The standard, where the code alone says too little.
    pub(crate) standard_ref: Option<String>,
    /// The matter's code.
    pub(crate) matter_code: Option<String>,
    /// A unit grid's or a responsibility grid's code.
    pub(crate) grid: Option<String>,
    /// A camera among the sources.
    pub(crate) camera: Option<String>,
    /// Confirmed at this instant or later.
    pub(crate) since: Option<Timestamp>,
    /// Confirmed before this instant.
    pub(crate) until: Option<Timestamp>,
    /// Of one of these responsibility grids, where the caller is confined to them.
    pub(crate) within: Option<std::sync::Arc<[String]>>,
}

/// A place in the order: confirmation and receipt, both of which never change, so that a walk from page to page
/// meets every case once whatever comes in meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    confirmed_ms: i64,
    seq: i64,
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.confirmed_ms, self.seq)
    }
}

impl std::str::FromStr for Cursor {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let (confirmed_ms, seq) = text.split_once('.').ok_or(())?;
        let number = |text: &str| text.parse().map_err(|_| ());
        Ok(Self { confirmed_ms: number(confirmed_ms)?, seq: number(seq)? })
    }
}

/// Some cases and where the next begin.
#[derive(Debug)]
pub(crate) struct Page {
    /// Newest first.
    pub(crate) cases: Vec<Case>,
    /// None at the end.
    pub(crate) next: Option<Cursor>,
}

/// How many there are.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    /// Waiting for a person.
    pub(crate) reported: i64,
    /// Ended.
    pub(crate) closed: i64,
    /// Sightings after the first.
    pub(crate) sightings: i64,
}

/// What the filter form offers.
#[derive(Debug, Default)]
pub(crate) struct Choices {
    /// Standard, code, name.
    pub(crate) matters: Vec<(String, String, String)>,
    /// Unit grids.
    pub(crate) unit_grids: Vec<String>,
    /// Responsibility grids.
    pub(crate) responsibility_grids: Vec<String>,
    /// Cameras.
    pub(crate) cameras: Vec<String>,
}

/// One line of a case's log.
#[derive(Debug)]
pub(crate) struct Operation {
    /// When the desk did it.
    pub(crate) at: Timestamp,
    /// `filed`, `seen_again` or `closed`.
    pub(crate) what: String,
    /// Its particulars.
    pub(crate) detail: serde_json::Value,
}

impl Store {
    /// One page of cases.
    pub(crate) async fn list(
        &self,
        filter: &Filter,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, sqlx::Error> {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT body, confirmed_ms, seq FROM cases WHERE TRUE");
        push_filter(&mut query, filter);
        if let Some(after) = after {
            query.push(" AND (confirmed_ms, seq) < (").push_bind(after.confirmed_ms);
            query.push(", ").push_bind(after.seq).push(")");
        }
        // One more than asked for tells whether there is a next page.
        let fetched = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
        query.push(" ORDER BY confirmed_ms DESC, seq DESC LIMIT ").push_bind(fetched);
        let rows = query.build().fetch_all(&self.readers).await?;
        let mut cases = Vec::with_capacity(limit.min(rows.len()));
        let mut last = None;
        for row in rows.iter().take(limit) {
            cases.push(case_from_json(row.try_get(0)?)?);
            last = Some(Cursor { confirmed_ms: row.try_get(1)?, seq: row.try_get(2)? });
        }
        Ok(Page { cases, next: last.filter(|_| rows.len() > limit) })
    }

    /// One case.
    pub(crate) async fn get(&self, case_id: &str) -> Result<Option<Case>, sqlx::Error> {
        let body: Option<String> = sqlx::query_scalar("SELECT body FROM cases WHERE case_id = ?")
            .bind(case_id)
            .fetch_optional(&self.readers)
            .await?;
        body.map(|body| case_from_json(&body)).transpose()
    }

    /// What was done with a case, newest first, no more than `limit`.
    pub(crate) async fn operations(&self, case_id: &str, limit: i64) -> Result<Vec<Operation>, sqlx::Error> {
        let rows = sqlx::query(
            "SELECT l.at_ms, l.what, l.detail FROM log l JOIN cases c ON c.seq = l.case_seq
             WHERE c.case_id = ? ORDER BY l.seq DESC LIMIT ?",
        )
        .bind(case_id)
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        let operation = |row: &sqlx::sqlite::SqliteRow| {
            let detail = serde_json::from_str(row.try_get(2)?)
                .map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
            Ok(Operation { at: Timestamp::from_millis(row.try_get(0)?), what: row.try_get(1)?, detail })
        };
        rows.iter().map(operation).collect()
    }

    /// How many there are of each.
    pub(crate) async fn counts(&self, within: Option<&[String]>) -> Result<Counts, sqlx::Error> {
        // One text and one statement, whether it is confined or not.
        let row = sqlx::query(
            "WITH own AS (SELECT seq, state FROM cases
                 WHERE ?1 IS NULL OR responsibility_grid IN (SELECT value FROM json_each(?1)))
             SELECT (SELECT count(*) FROM own WHERE state = 'reported'),
             (SELECT count(*) FROM own WHERE state = 'closed'),
             (SELECT count(*) FROM sightings WHERE ?1 IS NULL OR case_seq IN (SELECT seq FROM own))",
        )
        .bind(within.map(to_json_list).transpose()?)
        .fetch_one(&self.readers)
        .await?;
        Ok(Counts { reported: row.try_get(0)?, closed: row.try_get(1)?, sightings: row.try_get(2)? })
    }

    /// What the filter form offers: only what occurs among what the caller may see.
    pub(crate) async fn choices(&self, within: Option<&[String]>) -> Result<Choices, sqlx::Error> {
        let within = within.map(to_json_list).transpose()?;
        let matters = sqlx::query_as(
            "SELECT standard_ref, matter_code, min(matter_name) FROM cases
             WHERE ?2 IS NULL OR responsibility_grid IN (SELECT value FROM json_each(?2))
             GROUP BY standard_ref, matter_code ORDER BY 1, 2 LIMIT ?1",
        )
        .bind(CHOICES_MAX)
        .bind(&within)
        .fetch_all(&self.readers)
        .await?;
        let words = async |sql: &'static str| -> Result<Vec<String>, sqlx::Error> {
            sqlx::query_scalar(sql).bind(CHOICES_MAX).bind(&within).fetch_all(&self.readers).await
        };
        Ok(Choices {
            matters,
            unit_grids: words(
                "SELECT DISTINCT unit_grid FROM cases WHERE unit_grid IS NOT NULL
                 AND (?2 IS NULL OR responsibility_grid IN (SELECT value FROM json_each(?2)))
                 ORDER BY 1 LIMIT ?1",
            )
            .await?,
            responsibility_grids: words(
                "SELECT DISTINCT responsibility_grid FROM cases WHERE responsibility_grid IS NOT NULL
                 AND (?2 IS NULL OR responsibility_grid IN (SELECT value FROM json_each(?2)))
                 ORDER BY 1 LIMIT ?1",
            )
            .await?,
            cameras: words(
                "SELECT DISTINCT s.id FROM sources s JOIN cases c ON c.seq = s.case_seq
                 WHERE ?2 IS NULL OR c.responsibility_grid IN (SELECT value FROM json_each(?2))
                 ORDER BY 1 LIMIT ?1",
            )
            .await?,
        })
    }

    /// Whether a piece of evidence belongs to a case of these responsibility grids.
    pub(crate) async fn evidence_is_within(
        &self,
        sha256: &str,
        grids: &[String],
    ) -> Result<bool, sqlx::Error> {
        let found: i64 = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM evidence e JOIN cases c ON c.seq = e.case_seq
             WHERE e.sha256 = ? AND c.responsibility_grid IN (SELECT value FROM json_each(?)))",
        )
        .bind(sha256)
        .bind(to_json_list(grids)?)
        .fetch_one(&self.readers)
        .await?;
        Ok(found == 1)
    }
}

fn to_json_list(words: &[String]) -> Result<String, sqlx::Error> {
    super::to_json(&words)
}

fn push_filter(query: &mut QueryBuilder<Sqlite>, filter: &Filter) {
    if let Some(state) = filter.state {
        query.push(" AND state = ").push_bind(state_name(state));
    }
    if let Some(standard_ref) = &filter.standard_ref {
        query.push(" AND standard_ref = ").push_bind(standard_ref.clone());
    }
    if let Some(code) = &filter.matter_code {
        query.push(" AND matter_code = ").push_bind(code.clone());
    }
    if let Some(grid) = &filter.grid {
        query.push(" AND (unit_grid = ").push_bind(grid.clone());
        query.push(" OR responsibility_grid = ").push_bind(grid.clone()).push(")");
    }
    if let Some(within) = &filter.within {
        let mut codes = query.push(" AND responsibility_grid IN (").separated(", ");
        for code in within.iter() {
            codes.push_bind(code.clone());
        }
        query.push(")");
    }
    if let Some(camera) = &filter.camera {
        query.push(" AND seq IN (SELECT case_seq FROM sources WHERE id = ").push_bind(camera.clone());
        query.push(")");
    }
    if let Some(since) = filter.since {
        query.push(" AND confirmed_ms >= ").push_bind(since.as_millis());
    }
    if let Some(until) = filter.until {
        query.push(" AND confirmed_ms < ").push_bind(until.as_millis());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_text() {
        let cursor = Cursor { confirmed_ms: -5, seq: 7 };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for bad in ["", ".", "1", "1.x", "1.2.3", "'; DROP TABLE cases"] {
            assert_eq!(bad.parse::<Cursor>(), Err(()), "{bad}");
        }
    }
}
