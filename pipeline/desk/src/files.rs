//! Evidence on disk. In: a body and the digest that it claims. Out: a file under that digest, whole and synced,
//! or nothing. A file once kept is never written again, and a name never comes from a caller's text.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use sha2::{Digest, Sha256};
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::body::BodyReader;
use crate::content::{self, ContentError};
use crate::error::{DeskError, Refusal};
use crate::sha::Sha;

/// Enough of a file's beginning to tell what it is.
const SNIFF_BYTES: usize = 12;
/// How much of a file is in memory while it is sent.
const SEND_CHUNK_BYTES: usize = 64 * 1024;

/// The evidence folder.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    /// `evidence/ab/ab…` by digest.
    kept: PathBuf,
    /// `evidence/.incoming/…`: not yet whole. Emptied at start.
    incoming: PathBuf,
    bytes_max: usize,
    /// Pictures that are looked into at once: each may take a third of a gigabyte for a moment.
    looking: Arc<Semaphore>,
}

/// As `Files::looking` says.
const LOOKS_MAX: usize = 2;

/// What became of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// New.
    Stored,
    /// Had it already.
    AlreadyThere,
}

/// What a file is, by its first bytes, whatever its sender called it.
pub(crate) fn media_type(head: &[u8]) -> Option<&'static str> {
    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
    match head {
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        _ if head.starts_with(PNG) => Some("image/png"),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Some("video/mp4"),
        _ => None,
    }
}

impl Files {
    /// Makes the folders and throws away what an earlier process left unfinished.
    pub(crate) fn open(folder: &Path, bytes_max: usize) -> Result<Self, DeskError> {
        let kept = folder.join("evidence");
        let incoming = kept.join(".incoming");
        std::fs::create_dir_all(&incoming).map_err(DeskError::folder("make", &incoming))?;
        let entries = std::fs::read_dir(&incoming).map_err(DeskError::folder("read", &incoming))?;
        for entry in entries {
            let path = entry.map_err(DeskError::folder("read", &incoming))?.path();
            std::fs::remove_file(&path).map_err(DeskError::folder("remove", &path))?;
            tracing::warn!(path = %path.display(), "removed an upload that was cut off");
        }
        let sync = |path: &Path| std::fs::File::open(path).and_then(|dir| dir.sync_all());
        sync(&kept).and_then(|()| sync(folder)).map_err(DeskError::folder("sync", folder))?;
        Ok(Self { kept, incoming, bytes_max, looking: Arc::new(Semaphore::new(LOOKS_MAX)) })
    }

    fn shard(&self, sha: &Sha) -> PathBuf {
        self.kept.join(&sha.to_string()[..2])
    }

    fn path(&self, sha: &Sha) -> PathBuf {
        self.shard(sha).join(sha.to_string())
    }

    /// Whether the file is here, whole.
    pub(crate) async fn has(&self, sha: &Sha) -> std::io::Result<bool> {
        tokio::fs::try_exists(self.path(sha)).await
    }

    /// Takes a body in. The body is read to its end even where the file is here already: a caller whose bytes
    /// do not match its digest is told so in every case.
    ///
    /// # Errors
    /// 413 too large, 415 neither picture nor clip, 422 another digest than claimed or no whole
    /// picture, 408 too slow, 507 disk full.
    pub(crate) async fn keep(&self, sha: Sha, body: Body) -> Result<Kept, Refusal> {
        let mut body = BodyReader::new(body, self.bytes_max);
        if self.has(&sha).await? {
            let mut hasher = Sha256::new();
            while let Some(chunk) = body.next().await? {
                hasher.update(&chunk);
            }
            same(sha, Sha::from_hasher(hasher))?;
            return Ok(Kept::AlreadyThere);
        }
        let partial = Partial(self.incoming.join(Uuid::new_v4().simple().to_string()));
        let (found, media_type) = receive(&partial.0, &mut body).await?;
        same(sha, found)?;
        self.look_into(&partial.0, media_type).await?;
        let shard = self.shard(&sha);
        if !tokio::fs::try_exists(&shard).await? {
            tokio::fs::create_dir_all(&shard).await?;
            File::open(&self.kept).await?.sync_all().await?;
        }
        // Two senders of the same bytes may both come here: the second rename puts the same bytes in place.
        tokio::fs::rename(&partial.0, self.path(&sha)).await?;
        File::open(&shard).await?.sync_all().await?;
        Ok(Kept::Stored)
    }

    /// Whether the file is what it begins like.
    async fn look_into(&self, path: &Path, media_type: &'static str) -> Result<(), Refusal> {
        // The semaphore is never closed.
        let _turn = self.looking.acquire().await;
        let path = path.to_owned();
        let looked = tokio::task::spawn_blocking(move || content::check(&path, media_type)).await;
        match looked.map_err(|error| Refusal::internal(&error))? {
            Ok(()) => Ok(()),
            Err(ContentError::Read(error)) => Err(error.into()),
            Err(error @ ContentError::Broken(_)) => Err(Refusal::of(
                StatusCode::UNPROCESSABLE_ENTITY,
                "content",
                &error.to_string(),
                "send the whole picture or clip",
            )),
            Err(error @ ContentError::TooManyPixels { .. }) => Err(Refusal::of(
                StatusCode::UNPROCESSABLE_ENTITY,
                "too_many_pixels",
                &error.to_string(),
                "send a smaller picture",
            )),
        }
    }

    /// A file to send: its type, its length, its bytes as they are read.
    pub(crate) async fn send(&self, sha: &Sha) -> std::io::Result<Option<(&'static str, u64, Body)>> {
        let path = self.path(sha);
        let mut head = [0u8; SNIFF_BYTES];
        let mut file = match File::open(&path).await {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        file.read_exact(&mut head).await?;
        let media_type = media_type(&head).unwrap_or("application/octet-stream");
        let length = file.metadata().await?.len();
        let body = Body::from_stream(Sending { head: Some(Bytes::copy_from_slice(&head)), file });
        Ok(Some((media_type, length, body)))
    }

    /// Whether a file can be written now.
    pub(crate) async fn probe(&self) -> std::io::Result<()> {
        let partial = Partial(self.incoming.join(Uuid::new_v4().simple().to_string()));
        tokio::fs::write(&partial.0, b"probe").await
    }
}

fn same(claimed: Sha, found: Sha) -> Result<(), Refusal> {
    if claimed == found {
        return Ok(());
    }
    Err(Refusal::field(
        StatusCode::UNPROCESSABLE_ENTITY,
        "hash_mismatch",
        "sha256",
        format!("the body's SHA-256 is {found}"),
        "send the bytes that belong to the address, or address them by their own SHA-256",
    ))
}

/// Body → synced file; the digest and the kind of what came.
async fn receive(path: &Path, body: &mut BodyReader) -> Result<(Sha, &'static str), Refusal> {
    let mut file = File::create_new(path).await?;
    let mut hasher = Sha256::new();
    let mut head = Vec::with_capacity(SNIFF_BYTES);
    while let Some(chunk) = body.next().await? {
        let wanted = SNIFF_BYTES - head.len();
        head.extend_from_slice(&chunk[..wanted.min(chunk.len())]);
        if head.len() == SNIFF_BYTES && media_type(&head).is_none() {
            body.drain().await;
            break;
        }
        hasher.update(&chunk);
        file.write_all(&chunk).await?;
    }
    let known = media_type(&head).filter(|_| head.len() == SNIFF_BYTES);
    let Some(known) = known else {
        return Err(Refusal::of(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "media_type",
            "the body is neither JPEG, PNG nor MP4",
            "send image/jpeg, image/png or video/mp4; the bytes decide, not the header",
        ));
    };
    file.flush().await?;
    file.sync_all().await?;
    Ok((Sha::from_hasher(hasher), known))
}

/// A name in `incoming` that goes when the upload ends without a rename, also when its task is dropped.
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        // After the rename there is nothing here any more; a failure is mended at the next start.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A file as a stream of chunks.
struct Sending {
    head: Option<Bytes>,
    file: File,
}

impl futures_core::Stream for Sending {
    type Item = std::io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(head) = self.head.take() {
            return Poll::Ready(Some(Ok(head)));
        }
        let mut chunk = vec![0u8; SEND_CHUNK_BYTES];
        let mut buffer = ReadBuf::new(&mut chunk);
        match Pin::new(&mut self.file).poll_read(cx, &mut buffer) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Some(Err(error))),
            Poll::Ready(Ok(())) => {
                let length = buffer.filled().len();
                chunk.truncate(length);
                Poll::Ready((length > 0).then(|| Ok(Bytes::from(chunk))))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_decide_what_a_file_is() {
        assert_eq!(media_type(b"\xff\xd8\xff\xe0 and so on"), Some("image/jpeg"));
        assert_eq!(media_type(b"\x89PNG\r\n\x1a\n...."), Some("image/png"));
        assert_eq!(media_type(b"\0\0\0\x20ftypisom"), Some("video/mp4"));
        assert_eq!(media_type(b"<html><script>"), None);
        assert_eq!(media_type(b"GIF89a......"), None);
        assert_eq!(media_type(b""), None);
    }

    #[test]
    fn a_cut_off_upload_is_gone_after_opening() {
        let folder = tempfile::tempdir().unwrap();
        let incoming = folder.path().join("evidence/.incoming");
        std::fs::create_dir_all(&incoming).unwrap();
        std::fs::write(incoming.join("half"), b"\xff\xd8\xff").unwrap();
        Files::open(folder.path(), 1024).unwrap();
        assert_eq!(std::fs::read_dir(&incoming).unwrap().count(), 0);
    }
}
