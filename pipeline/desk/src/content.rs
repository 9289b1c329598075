//! Whether a file is what it begins like. In: a whole file on disk and its kind. Out: yes, or why not. A picture is
//! decoded to its last row within a bound of memory, so that whoever looks at it later gets no surprise; a clip's
//! boxes must fill the file. Never trusts a length that a file states about itself.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use image::{ImageError, ImageFormat, ImageReader, Limits};

/// 40 megapixels: an 8K picture.
pub const PIXELS_MAX: u64 = 40_000_000;
/// Neither side is longer, pixels.
const SIDE_MAX: u32 = 16_384;
/// What the decoder may take: the picture as RGBA with 16 bits, and a row.
const DECODER_BYTES_MAX: u64 = PIXELS_MAX * 8 + 1024 * 1024;
/// A clip of ours has three boxes at its top.
const BOXES_MAX: usize = 10_000;

/// Why a file is no evidence.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// It cannot be read from disk.
    #[error("the file cannot be read")]
    Read(#[from] std::io::Error),
    /// It is not what it begins like.
    #[error("{0}")]
    Broken(String),
    /// It would need too much memory to look at.
    #[error("the picture has {width} × {height} pixels; 40 megapixels and 16,384 a side are the most")]
    TooManyPixels {
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
    },
}

/// Checks a file of a media type that its first bytes say.
///
/// # Errors
/// It is broken, too large to look at, or cannot be read.
pub fn check(path: &Path, media_type: &str) -> Result<(), ContentError> {
    match media_type {
        "image/jpeg" => picture(path, ImageFormat::Jpeg),
        "image/png" => picture(path, ImageFormat::Png),
        "video/mp4" => clip(&mut File::open(path)?),
        other => Err(ContentError::Broken(format!("{other} is no kind of evidence"))),
    }
}

fn picture(path: &Path, format: ImageFormat) -> Result<(), ContentError> {
    let reader = || -> Result<_, ContentError> {
        let mut reader = ImageReader::with_format(BufReader::new(File::open(path)?), format);
        let mut limits = Limits::default();
        limits.max_image_width = Some(SIDE_MAX);
        limits.max_image_height = Some(SIDE_MAX);
        limits.max_alloc = Some(DECODER_BYTES_MAX);
        reader.limits(limits);
        Ok(reader)
    };
    // The size first, from the header alone: a small file may claim a whole wall.
    let mut header = reader()?;
    header.no_limits();
    let (width, height) = header.into_dimensions().map_err(broken)?;
    let pixels = u64::from(width) * u64::from(height);
    if pixels > PIXELS_MAX || width > SIDE_MAX || height > SIDE_MAX {
        return Err(ContentError::TooManyPixels { width, height });
    }
    reader()?.decode().map_err(broken)?;
    Ok(())
}

fn broken(error: ImageError) -> ContentError {
    match error {
        ImageError::IoError(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => {
            // The decoders say malformed data as an I/O error too; neither is the caller's business in detail.
            ContentError::Broken(format!("the picture cannot be decoded: {error}"))
        }
        error => ContentError::Broken(format!("the picture cannot be decoded: {error}")),
    }
}

/// ISO 14496-12: boxes that follow each other to the end of the file, `ftyp` first, one `moov`.
fn clip(file: &mut (impl Read + Seek)) -> Result<(), ContentError> {
    let broken = |what: &str| ContentError::Broken(format!("the clip is broken: {what}"));
    let length = file.seek(SeekFrom::End(0))?;
    let (mut at, mut movies) = (0, 0);
    for number in 0.. {
        if at == length {
            break;
        }
        if number == BOXES_MAX {
            return Err(broken("it has boxes without end"));
        }
        file.seek(SeekFrom::Start(at))?;
        let mut head = [0u8; 8];
        file.read_exact(&mut head).map_err(|_| broken("it ends within a box's head"))?;
        let [s0, s1, s2, s3, kind @ ..] = head;
        let (size, head_bytes) = match u32::from_be_bytes([s0, s1, s2, s3]) {
            // To the end of the file.
            0 => (length - at, 8),
            1 => {
                let mut large = [0u8; 8];
                file.read_exact(&mut large).map_err(|_| broken("it ends within a box's head"))?;
                (u64::from_be_bytes(large), 16)
            }
            size => (u64::from(size), 8),
        };
        if size < head_bytes || size > length - at {
            return Err(broken("a box does not fit into the file"));
        }
        if number == 0 && &kind != b"ftyp" {
            return Err(broken("it does not begin with `ftyp`"));
        }
        movies += u32::from(&kind == b"moov");
        at += size;
    }
    if movies != 1 {
        return Err(broken("it has no `moov`, or more than one"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use super::*;

    fn checked(bytes: &[u8], media_type: &str) -> Result<(), ContentError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        check(file.path(), media_type)
    }

    fn encoded(format: ImageFormat, side: u32) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        let picture = image::RgbImage::from_fn(side, side, |x, y| image::Rgb([x as u8, y as u8, 7]));
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn pictures_that_are_whole_pass_and_others_do_not() {
        for (format, media_type) in [(ImageFormat::Jpeg, "image/jpeg"), (ImageFormat::Png, "image/png")] {
            let whole = encoded(format, 64);
            checked(&whole, media_type).unwrap();
            let half = checked(&whole[..whole.len() / 3], media_type);
            assert!(matches!(half, Err(ContentError::Broken(_))), "{half:?}");
        }
        let page = [b"\xff\xd8\xff\xe0".as_slice(), b"<html><script>alert(1)</script>"].concat();
        assert!(matches!(checked(&page, "image/jpeg"), Err(ContentError::Broken(_))));
    }

    #[test]
    fn a_small_file_that_claims_a_wall_is_refused_by_its_header() {
        // A PNG whose header says 60,000 × 60,000 and whose data are a few bytes.
        let mut png = encoded(ImageFormat::Png, 8);
        png[16..20].copy_from_slice(&60_000u32.to_be_bytes());
        png[20..24].copy_from_slice(&60_000u32.to_be_bytes());
        let crc = crc32(&png[12..29]);
        png[29..33].copy_from_slice(&crc.to_be_bytes());
        let refused = checked(&png, "image/png");
        assert!(matches!(refused, Err(ContentError::TooManyPixels { width: 60_000, .. })), "{refused:?}");
    }

    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0u32, |crc, byte| {
            (0..8)
                .fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
        })
    }

    #[test]
    fn a_clips_boxes_fill_its_file() {
        let of = |kind: &[u8; 4], bytes: u32| {
            [&(8 + bytes).to_be_bytes()[..], kind, &vec![7; bytes as usize]].concat()
        };
        let whole = [of(b"ftyp", 8), of(b"moov", 30), of(b"mdat", 100)].concat();
        checked(&whole, "video/mp4").unwrap();
        let large = [&1u32.to_be_bytes()[..], b"mdat", &24u64.to_be_bytes(), &[7; 8]].concat();
        checked(&[whole.clone(), large].concat(), "video/mp4").unwrap();
        let open_end = [&0u32.to_be_bytes()[..], b"mdat", &[7; 50]].concat();
        checked(&[whole.clone(), open_end].concat(), "video/mp4").unwrap();
        let huge = [&1u32.to_be_bytes()[..], b"mdat", &u64::MAX.to_be_bytes()].concat();
        for broken in [
            whole[..whole.len() - 1].to_vec(),
            [whole.clone(), b"<html>".to_vec()].concat(),
            [of(b"ftyp", 8), of(b"mdat", 100)].concat(),
            [of(b"moov", 8), of(b"ftyp", 8)].concat(),
            [whole.clone(), huge].concat(),
            [whole.clone(), [4u32.to_be_bytes().as_slice(), b"free"].concat()].concat(),
            Vec::new(),
        ] {
            assert!(matches!(checked(&broken, "video/mp4"), Err(ContentError::Broken(_))), "{broken:?}");
        }
    }
}
