//! Tokens as the store keeps them: by their SHA-256. In: rows and digests. Out: rows. Never a token in clear.

use sqlx::{Row, sqlite::SqliteRow};

use calib::time::Timestamp;

use super::{Act, Actor, Store, now, to_json};
use crate::access::TokenRow;
use crate::sha::equal_in_constant_time;

/// The token that a node made for its own pipeline.
pub(crate) const OWN_ID: &str = "own";
const COLUMNS: &str = "id, name, role, grids, made_ms, expires_ms, revoked_ms, sha256";

impl Store {
    /// Keeps a new token.
    pub(crate) async fn keep_token(
        &self,
        row: &TokenRow,
        sha256: &[u8; 32],
        actor: &Actor<'_>,
    ) -> Result<(), sqlx::Error> {
        let mut transaction = self.begin().await?;
        sqlx::query(
            "INSERT INTO tokens (id, name, role, grids, lookup, sha256, made_ms, expires_ms)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&row.id)
        .bind(&row.name)
        .bind(row.role.name())
        .bind(to_json(&row.grids)?)
        .bind(lookup(sha256))
        .bind(&sha256[..])
        .bind(row.made_at.as_millis())
        .bind(row.expires_at.map(Timestamp::as_millis))
        .execute(&mut *transaction)
        .await?;
        let detail = serde_json::json!({
            "name": row.name, "role": row.role.name(), "grids": row.grids, "expires_at": row.expires_at,
        });
        super::audit::append(&mut transaction, actor, &Act { what: "token_made", target: &row.id, detail })
            .await?;
        transaction.commit().await
    }

    /// Puts the node's own token in place of the one before it.
    pub(crate) async fn keep_own_token(&self, name: &str, sha256: &[u8; 32]) -> Result<(), sqlx::Error> {
        let mut transaction = self.begin().await?;
        let held: Option<Vec<u8>> = sqlx::query_scalar("SELECT sha256 FROM tokens WHERE id = ?")
            .bind(OWN_ID)
            .fetch_optional(&mut *transaction)
            .await?;
        if held.as_deref() == Some(&sha256[..]) {
            return Ok(());
        }
        sqlx::query(
            "INSERT INTO tokens (id, name, role, grids, lookup, sha256, made_ms)
             VALUES (?1, ?2, 'service', '[]', ?3, ?4, ?5)
             ON CONFLICT (id) DO UPDATE SET lookup = ?3, sha256 = ?4, made_ms = ?5",
        )
        .bind(OWN_ID)
        .bind(name)
        .bind(lookup(sha256))
        .bind(&sha256[..])
        .bind(now().as_millis())
        .execute(&mut *transaction)
        .await?;
        let act =
            Act { what: "token_made", target: OWN_ID, detail: serde_json::json!({ "role": "service" }) };
        super::audit::append(&mut transaction, &Actor::DESK, &act).await?;
        transaction.commit().await
    }

    /// Every token ever made, newest first.
    pub(crate) async fn tokens(&self) -> Result<Vec<TokenRow>, sqlx::Error> {
        let sql = sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM tokens ORDER BY made_ms DESC, id"));
        sqlx::query(sql).fetch_all(&self.readers).await?.iter().map(token_row).collect()
    }

    /// Whether any token of this role was ever made.
    pub(crate) async fn has_role(&self, role: &str) -> Result<bool, sqlx::Error> {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM tokens WHERE role = ?")
            .bind(role)
            .fetch_one(&self.readers)
            .await?;
        Ok(count > 0)
    }

    /// Takes a token back; `false` where there is none that still stands, or it is the node's own.
    pub(crate) async fn revoke_token(&self, id: &str, actor: &Actor<'_>) -> Result<bool, sqlx::Error> {
        let mut transaction = self.begin().await?;
        let done =
            sqlx::query("UPDATE tokens SET revoked_ms = ? WHERE id = ? AND revoked_ms IS NULL AND id <> ?")
                .bind(now().as_millis())
                .bind(id)
                .bind(OWN_ID)
                .execute(&mut *transaction)
                .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        let act = Act { what: "token_revoked", target: id, detail: serde_json::json!({}) };
        super::audit::append(&mut transaction, actor, &act).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// The row of a token. Few share the first bytes of a digest; those are compared in constant time.
    pub(crate) async fn token_by_sha256(&self, sha256: &[u8; 32]) -> Result<Option<TokenRow>, sqlx::Error> {
        let sql = sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM tokens WHERE lookup = ?"));
        let rows = sqlx::query(sql).bind(lookup(sha256)).fetch_all(&self.readers).await?;
        for row in &rows {
            let kept: &[u8] = row.try_get("sha256")?;
            if kept.try_into().is_ok_and(|kept: &[u8; 32]| equal_in_constant_time(kept, sha256)) {
                return token_row(row).map(Some);
            }
        }
        Ok(None)
    }

    /// The row of an id.
    pub(crate) async fn token_by_id(&self, id: &str) -> Result<Option<TokenRow>, sqlx::Error> {
        let sql = sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM tokens WHERE id = ?"));
        let row = sqlx::query(sql).bind(id).fetch_optional(&self.readers).await?;
        row.as_ref().map(token_row).transpose()
    }
}

/// The first bytes of a digest, to find its row by.
fn lookup(sha256: &[u8; 32]) -> i64 {
    i64::from(u32::from_be_bytes([sha256[0], sha256[1], sha256[2], sha256[3]]))
}

fn token_row(row: &SqliteRow) -> Result<TokenRow, sqlx::Error> {
    let decode = |error: Box<dyn std::error::Error + Send + Sync>| sqlx::Error::Decode(error);
    let instant = |name: &str| -> Result<Option<Timestamp>, sqlx::Error> {
        Ok(row.try_get::<Option<i64>, _>(name)?.map(Timestamp::from_millis))
    };
    Ok(TokenRow {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        role: row.try_get::<&str, _>("role")?.parse().map_err(|error: String| decode(error.into()))?,
        grids: serde_json::from_str(row.try_get("grids")?).map_err(|error| decode(error.into()))?,
        made_at: Timestamp::from_millis(row.try_get("made_ms")?),
        expires_at: instant("expires_ms")?,
        revoked_at: instant("revoked_ms")?,
    })
}
