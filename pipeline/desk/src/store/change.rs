//! What changes the store: a case comes in, a sighting comes in, a person closes. In: checked values. Out: the
//! case as it stands after, and whether anything happened. Never half of it: one transaction each.

use sqlx::{Row, Sqlite, Transaction};

use logic::case::{Case, CaseState, Evidence, EvidenceRole, Sighting, Source};

use super::{Act, Actor, Store, audit, case_from_json, now, state_name, to_json};
use crate::sha::Sha;

/// More pieces than this stay in the history and are not listed with the case.
const EVIDENCE_LISTED_MAX: usize = 64;

/// What became of a posted case.
#[derive(Debug)]
pub(crate) enum Posted {
    /// New.
    Created(Case),
    /// The same key and body came before.
    Replayed(Case),
    /// The key belongs to another body.
    KeyReused,
    /// The id belongs to a case under another key.
    IdTaken,
}

/// What became of a sighting.
#[derive(Debug)]
pub(crate) enum Seen {
    /// Counted.
    Created(Case),
    /// Counted before.
    Replayed(Case),
    /// The key belongs to another sighting.
    KeyReused,
    /// No such case.
    NoSuchCase,
    /// A person ended the case.
    Closed,
}

/// What became of a closing.
#[derive(Debug)]
pub(crate) enum Ended {
    /// Closed now.
    Closed(Box<Case>),
    /// Closed before.
    AlreadyClosed,
    /// No such case.
    NoSuchCase,
}

impl Store {
    /// Files a case, once for each key.
    pub(crate) async fn post(
        &self,
        case: &Case,
        body: Sha,
        actor: &Actor<'_>,
    ) -> Result<Posted, sqlx::Error> {
        let mut transaction = self.begin().await?;
        let known = sqlx::query("SELECT body_sha256, body FROM cases WHERE idempotency_key = ?")
            .bind(&case.idempotency_key)
            .fetch_optional(&mut *transaction)
            .await?;
        if let Some(row) = known {
            let same = row.try_get::<&[u8], _>(0)? == body.bytes();
            return Ok(if same {
                Posted::Replayed(case_from_json(row.try_get(1)?)?)
            } else {
                Posted::KeyReused
            });
        }
        let id_taken = sqlx::query("SELECT 1 FROM cases WHERE case_id = ?")
            .bind(&case.case_id)
            .fetch_optional(&mut *transaction)
            .await?;
        if id_taken.is_some() {
            return Ok(Posted::IdTaken);
        }
        let seq = insert_case(&mut transaction, case, body).await?;
        for source in &case.sources {
            insert_source(&mut transaction, seq, source).await?;
        }
        for piece in &case.evidence {
            insert_evidence(&mut transaction, seq, None, piece).await?;
        }
        let detail = serde_json::json!({ "body_sha256": body.to_string() });
        log(&mut transaction, seq, "filed", &detail.to_string()).await?;
        let act = Act { what: "case_filed", target: &case.case_id, detail };
        audit::append(&mut transaction, actor, &act).await?;
        transaction.commit().await?;
        Ok(Posted::Created(case.clone()))
    }

    /// Counts a sighting of a case, once for each key.
    pub(crate) async fn see(
        &self,
        case_id: &str,
        sighting: &Sighting,
        body: Sha,
        grids: Option<&[String]>,
        actor: &Actor<'_>,
    ) -> Result<Seen, sqlx::Error> {
        let mut transaction = self.begin().await?;
        let known = sqlx::query(
            "SELECT s.body_sha256, c.case_id, c.body, c.responsibility_grid FROM sightings s JOIN cases c ON c.seq = s.case_seq
             WHERE s.idempotency_key = ?",
        )
        .bind(&sighting.idempotency_key)
        .fetch_optional(&mut *transaction)
        .await?;
        if let Some(row) = known {
            let same = row.try_get::<&[u8], _>(0)? == body.bytes() && row.try_get::<&str, _>(1)? == case_id;
            if same && !is_within(grids, row.try_get(3)?) {
                return Ok(Seen::NoSuchCase);
            }
            return Ok(if same { Seen::Replayed(case_from_json(row.try_get(2)?)?) } else { Seen::KeyReused });
        }
        let Some((seq, mut case)) = find(&mut transaction, case_id, grids).await? else {
            return Ok(Seen::NoSuchCase);
        };
        if case.state == CaseState::Closed {
            return Ok(Seen::Closed);
        }
        let sighting_seq = insert_sighting(&mut transaction, seq, sighting, body).await?;
        if !case.sources.contains(&sighting.source) {
            insert_source(&mut transaction, seq, &sighting.source).await?;
        }
        for piece in &sighting.evidence {
            insert_evidence(&mut transaction, seq, Some(sighting_seq), piece).await?;
        }
        add(&mut case, sighting);
        update(&mut transaction, seq, &case).await?;
        let detail =
            serde_json::json!({ "at": sighting.at, "source": sighting.source.id, "score": sighting.score });
        log(&mut transaction, seq, "seen_again", &detail.to_string()).await?;
        let detail = serde_json::json!({ "body_sha256": body.to_string() });
        audit::append(&mut transaction, actor, &Act { what: "case_seen", target: case_id, detail }).await?;
        transaction.commit().await?;
        Ok(Seen::Created(case))
    }

    /// Ends a case, by a person, with the reason.
    pub(crate) async fn end(
        &self,
        case_id: &str,
        reason: &str,
        grids: Option<&[String]>,
        actor: &Actor<'_>,
    ) -> Result<Ended, sqlx::Error> {
        let mut transaction = self.begin().await?;
        let Some((seq, mut case)) = find(&mut transaction, case_id, grids).await? else {
            return Ok(Ended::NoSuchCase);
        };
        if case.state == CaseState::Closed {
            return Ok(Ended::AlreadyClosed);
        }
        case.state = CaseState::Closed;
        update(&mut transaction, seq, &case).await?;
        let detail = serde_json::json!({ "reason": reason });
        log(&mut transaction, seq, "closed", &detail.to_string()).await?;
        audit::append(&mut transaction, actor, &Act { what: "case_closed", target: case_id, detail }).await?;
        transaction.commit().await?;
        Ok(Ended::Closed(Box::new(case)))
    }
}

/// What one more look does to a case. Its score stays that of its confirmation.
fn add(case: &mut Case, sighting: &Sighting) {
    case.sightings += 1;
    case.last_seen = case.last_seen.max(sighting.at);
    if !case.sources.contains(&sighting.source) {
        case.sources.push(sighting.source.clone());
    }
    for piece in &sighting.evidence {
        if piece.role == EvidenceRole::Latest {
            // A sighting that was delayed on its way does not push out a later picture.
            let held = case.evidence.iter().find(|held| held.role == EvidenceRole::Latest);
            if held.is_some_and(|held| held.captured_at > piece.captured_at) {
                continue;
            }
            case.evidence.retain(|held| held.role != EvidenceRole::Latest);
            case.evidence.push(piece.clone());
        } else if case.evidence.len() < EVIDENCE_LISTED_MAX
            && case.evidence.iter().all(|held| held.sha256 != piece.sha256)
        {
            case.evidence.push(piece.clone());
        }
    }
}

async fn find(
    transaction: &mut Transaction<'_, Sqlite>,
    case_id: &str,
    grids: Option<&[String]>,
) -> Result<Option<(i64, Case)>, sqlx::Error> {
    let row = sqlx::query("SELECT seq, body FROM cases WHERE case_id = ?")
        .bind(case_id)
        .fetch_optional(&mut **transaction)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let found = Some((row.try_get(0)?, case_from_json(row.try_get(1)?)?));
    Ok(found.filter(|(_, case)| is_within(grids, case.responsibility_grid.as_deref())))
}

/// A case of no grid is nobody's who is confined to some.
fn is_within(grids: Option<&[String]>, grid: Option<&str>) -> bool {
    grids.is_none_or(|grids| grid.is_some_and(|grid| grids.iter().any(|own| own == grid)))
}

async fn insert_case(
    transaction: &mut Transaction<'_, Sqlite>,
    case: &Case,
    body: Sha,
) -> Result<i64, sqlx::Error> {
    let json = to_json(case)?;
    let done = sqlx::query(
        "INSERT INTO cases (case_id, idempotency_key, body_sha256, state, standard_ref, matter_code,
         matter_name, unit_grid, responsibility_grid, confirmed_ms, received_ms, posted, body)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&case.case_id)
    .bind(&case.idempotency_key)
    .bind(&body.bytes()[..])
    .bind(state_name(case.state))
    .bind(&case.matter.standard_ref)
    .bind(&case.matter.code)
    .bind(&case.matter.name)
    .bind(case.unit_grid.as_ref().map(|grid| &grid.code))
    .bind(&case.responsibility_grid)
    .bind(case.confirmed_at.as_millis())
    .bind(now().as_millis())
    .bind(&json)
    .bind(&json)
    .execute(&mut **transaction)
    .await?;
    Ok(done.last_insert_rowid())
}

async fn insert_sighting(
    transaction: &mut Transaction<'_, Sqlite>,
    seq: i64,
    sighting: &Sighting,
    body: Sha,
) -> Result<i64, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO sightings (idempotency_key, case_seq, body_sha256, at_ms, received_ms, posted)
         VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(&sighting.idempotency_key)
    .bind(seq)
    .bind(&body.bytes()[..])
    .bind(sighting.at.as_millis())
    .bind(now().as_millis())
    .bind(to_json(sighting)?)
    .execute(&mut **transaction)
    .await?;
    Ok(done.last_insert_rowid())
}

async fn insert_source(
    transaction: &mut Transaction<'_, Sqlite>,
    seq: i64,
    source: &Source,
) -> Result<(), sqlx::Error> {
    let logic::case::SourceKind::Camera = source.kind;
    sqlx::query("INSERT INTO sources (case_seq, kind, id, zone, preset) VALUES (?, 'camera', ?, ?, ?)")
        .bind(seq)
        .bind(&source.id)
        .bind(&source.zone)
        .bind(&source.preset)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

async fn insert_evidence(
    transaction: &mut Transaction<'_, Sqlite>,
    seq: i64,
    sighting_seq: Option<i64>,
    piece: &Evidence,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO evidence (case_seq, sighting_seq, role, sha256, captured_ms) VALUES (?, ?, ?, ?, ?)",
    )
    .bind(seq)
    .bind(sighting_seq)
    .bind(piece.role.name())
    .bind(&piece.sha256)
    .bind(piece.captured_at.as_millis())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

async fn update(transaction: &mut Transaction<'_, Sqlite>, seq: i64, case: &Case) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE cases SET body = ?, state = ? WHERE seq = ?")
        .bind(to_json(case)?)
        .bind(state_name(case.state))
        .bind(seq)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

async fn log(
    transaction: &mut Transaction<'_, Sqlite>,
    seq: i64,
    what: &'static str,
    detail: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO log (at_ms, case_seq, what, detail) VALUES (?, ?, ?, ?)")
        .bind(now().as_millis())
        .bind(seq)
        .bind(what)
        .bind(detail)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}
