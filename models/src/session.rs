//! Weights to a session of ONNX Runtime that is what its manifest says.
//!
//! In come a manifest and the loaded library, out comes a session with one input and one named output of the
//! right shapes, or every contradiction with its key. The bytes that were hashed are the bytes that are loaded.

use ort::session::Session;
use ort::session::builder::AutoDevicePolicy;
use ort::value::{Outlet, TensorElementType, TensorRef, ValueType};
use sha2::{Digest, Sha256};

use crate::error::{ModelError, Problem};
use crate::manifest::{Batch, Manifest, Provider};
use crate::runtime::Runtime;

/// Opens the weights with `threads` threads an operation.
pub(crate) fn open(runtime: &Runtime, manifest: &Manifest, threads: usize) -> Result<Session, ModelError> {
    let weights = verified(manifest)?;
    let session = commit(runtime, manifest, threads, &weights).map_err(|says| {
        let says = format!("ONNX Runtime {} cannot load them: {says}", runtime.version());
        let mend =
            "export the model again (whole, with an opset that this version knows), or load a newer library";
        ModelError::Refused(vec![manifest.problem("weights", says, mend)])
    })?;
    let problems = contradictions(manifest, &session);
    if problems.is_empty() { Ok(session) } else { Err(ModelError::Refused(problems)) }
}

/// The weights' bytes, known to have the manifest's SHA-256.
fn verified(manifest: &Manifest) -> Result<Vec<u8>, ModelError> {
    let refused =
        |key: &str, says: String, mend: &str| ModelError::Refused(vec![manifest.problem(key, says, mend)]);
    let weights = std::fs::read(&manifest.weights).map_err(|error| {
        let says = format!("{} cannot be read: {error}", manifest.weights.display());
        refused("weights", says, "put the file there")
    })?;
    let sha256: String = Sha256::digest(&weights).iter().map(|byte| format!("{byte:02x}")).collect();
    if sha256 != manifest.sha256 {
        let says = format!("{} has {sha256}", manifest.weights.display());
        return Err(refused(
            "sha256",
            says,
            "get the file that the manifest means, or write this sum if it is the right one",
        ));
    }
    Ok(weights)
}

fn commit(runtime: &Runtime, manifest: &Manifest, threads: usize, weights: &[u8]) -> Result<Session, String> {
    let builder = Session::builder(runtime.environment()).map_err(text)?;
    // `ort` lets the library pick an NPU where it knows one; what runs where is the manifest's to say.
    let builder = match manifest.provider {
        Provider::Cpu => builder.with_auto_device(AutoDevicePolicy::PreferCPU),
    };
    // Idle threads sleep: looks come at a cadence, and spinning would take the cores from the decoders.
    let builder = builder.map_err(text)?.with_intra_op_spinning(false).map_err(text)?;
    let mut builder = builder.with_intra_threads(threads.max(1)).map_err(text)?;
    builder.commit_from_memory(weights).map_err(text)
}

fn text<R>(error: ort::Error<R>) -> String {
    error.to_string()
}

/// What the graph's own description says against the manifest.
fn contradictions(manifest: &Manifest, session: &Session) -> Vec<Problem> {
    let mut problems = Vec::new();
    let batch = match manifest.batch {
        Batch::Static => Some(1),
        Batch::Dynamic => None,
    };
    let input = &manifest.input;
    let wanted = [batch, Some(3), Some(input.height), Some(input.width)];
    match session.inputs() {
        [only] if only.name() == input.name => {
            problems.extend(differs(manifest, "input.size", only, &wanted))
        }
        others => {
            let says = format!("the model's inputs are {}, not just \"{}\"", names(others), input.name);
            problems.push(manifest.problem("input.name", says, "write the name of its one input"));
        }
    }
    let wanted = [batch, Some(manifest.cells()), Some(manifest.columns())];
    match session.outputs().iter().find(|outlet| outlet.name() == manifest.output) {
        Some(output) => problems.extend(differs(manifest, "output", output, &wanted)),
        None => {
            let says =
                format!("the model's outputs are {}, none \"{}\"", names(session.outputs()), manifest.output);
            problems.push(manifest.problem("output.name", says, "write one of these"));
        }
    }
    problems
}

fn names(outlets: &[Outlet]) -> String {
    let quoted: Vec<String> = outlets.iter().map(|outlet| format!("\"{}\"", outlet.name())).collect();
    quoted.join(", ")
}

/// Compares a declared tensor with what is wanted; a free dimension passes, except that the batch must be
/// free exactly where the manifest says so.
fn differs(manifest: &Manifest, key: &str, outlet: &Outlet, wanted: &[Option<usize>]) -> Option<Problem> {
    let ValueType::Tensor { ty, shape, .. } = outlet.dtype() else {
        let says = format!("\"{}\" is no tensor", outlet.name());
        return Some(manifest.problem(key, says, "export the model with plain tensors"));
    };
    if *ty != TensorElementType::Float32 {
        let says = format!("\"{}\" is of {ty}, not f32", outlet.name());
        return Some(manifest.problem(key, says, "export the model in f32"));
    }
    let shown: Vec<String> =
        wanted.iter().map(|side| side.map_or("n".to_owned(), |side| side.to_string())).collect();
    let rank_fits = shape.len() == wanted.len();
    let free = shape.first() == Some(&-1);
    if rank_fits && free == wanted[0].is_some() {
        let says = format!(
            "\"{}\" is {shape}, its first dimension {}",
            outlet.name(),
            if free { "free" } else { "fixed" }
        );
        let mend = if free {
            "write batch = \"dynamic\""
        } else {
            "write batch = \"static\", or export it with a free batch"
        };
        return Some(manifest.problem("batch", says, mend));
    }
    let fits = |(side, wanted): (&i64, &Option<usize>)| {
        *side == -1 || wanted.is_none_or(|wanted| *side == wanted as i64)
    };
    if rank_fits && shape.iter().zip(wanted).all(fits) {
        return None;
    }
    let says = format!("\"{}\" is {shape}, the manifest makes it [{}]", outlet.name(), shown.join(", "));
    Some(manifest.problem(key, says, "write the model's own size, strides and labels"))
}

/// Runs the session on `tensor`, `[n, 3, H, W]`, and gives the output, `[n, cells, columns]`, to `read`.
pub(crate) fn run<T>(
    session: &mut Session,
    manifest: &Manifest,
    batch: usize,
    tensor: &[f32],
    read: impl FnOnce(&[f32]) -> Result<T, ModelError>,
) -> Result<T, ModelError> {
    let failed =
        |error: ort::Error| ModelError::Run { model: manifest.name.clone(), says: error.to_string() };
    let wrong = |says: String| ModelError::Output { model: manifest.name.clone(), says };
    let shape = [batch, 3, manifest.input.height, manifest.input.width];
    let input = TensorRef::from_array_view((shape, tensor)).map_err(failed)?;
    let outputs = session.run(ort::inputs![input]).map_err(failed)?;
    let output = outputs.get(&manifest.output).ok_or_else(|| wrong("its output is missing".to_owned()))?;
    let (shape, values) = output.try_extract_tensor::<f32>().map_err(failed)?;
    let wanted = [batch, manifest.cells(), manifest.columns()].map(|side| side as i64);
    if **shape != wanted {
        return Err(wrong(format!("its output is {shape}, the manifest makes it {wanted:?}")));
    }
    read(values)
}
