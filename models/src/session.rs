//! Weights to a session of ONNX Runtime that is what its manifest says.
//!
//! In comes a [`Plan`]: weights with their sum, and every input and output by name, type and shape. Out comes
//! a [`Model`] with just these, or every contradiction with its key. The bytes that were hashed are the bytes
//! that are loaded. Numbers go in as the model's own type and come out as f32, whatever it computes in.

use std::borrow::Cow;
use std::path::Path;

use half::f16;
use half::slice::HalfFloatSliceExt;
use ort::session::{Session, SessionInputValue};
use ort::value::{DynValue, Outlet, TensorElementType, TensorRef, ValueType};
use sha2::{Digest, Sha256};

use crate::error::{ModelError, Problem};
use crate::manifest::{Batch, Provider};
use crate::provider;
use crate::runtime::Runtime;

/// One side of a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Side {
    /// As many as the run has pictures.
    Batch,
    /// As wide as the run's pictures.
    Width,
    /// As high as the run's pictures.
    Height,
    /// A row a cell of the grids of these strides over the run's pictures.
    Cells(Vec<usize>),
    /// Just so many.
    Is(usize),
    /// As many as the model likes.
    Free,
}

/// How large one run is: what the sides that are no number stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) batch: usize,
    /// Width and height of the tensor.
    pub(crate) size: [usize; 2],
}

impl Side {
    /// How many it is in such a run; `None` where that is the model's matter.
    fn of(&self, extent: Extent) -> Option<usize> {
        let [width, height] = extent.size;
        match self {
            Self::Batch => Some(extent.batch),
            Self::Width => Some(width),
            Self::Height => Some(height),
            Self::Cells(strides) => {
                Some(strides.iter().map(|stride| (width / stride) * (height / stride)).sum())
            }
            Self::Is(side) => Some(*side),
            Self::Free => None,
        }
    }
}

/// One input or output as the manifest makes it.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    /// Keys of the manifest that give its name, its type and its shape.
    pub(crate) keys: [&'static str; 3],
    pub(crate) name: String,
    /// Types that will do.
    pub(crate) kinds: &'static [TensorElementType],
    pub(crate) sides: Vec<Side>,
}

/// Types that an output of numbers may have.
pub(crate) const NUMBERS: &[TensorElementType] = &[TensorElementType::Float32, TensorElementType::Float16];
/// Types that an output of labels or of a count may have.
pub(crate) const COUNTS: &[TensorElementType] = &[
    TensorElementType::Int64,
    TensorElementType::Int32,
    TensorElementType::Float32,
    TensorElementType::Float16,
];

/// What is to be opened.
pub(crate) struct Plan<'a> {
    /// The manifest, for messages.
    pub(crate) file: &'a Path,
    pub(crate) name: &'a str,
    pub(crate) weights: &'a Path,
    pub(crate) sha256: &'a str,
    pub(crate) batch: Batch,
    pub(crate) providers: &'a [Provider],
    pub(crate) inputs: Vec<Spec>,
    pub(crate) outputs: Vec<Spec>,
    /// Further outputs that the model may have.
    pub(crate) unread: &'a [String],
}

impl Plan<'_> {
    pub(crate) fn problem(&self, key: &str, says: String, mend: impl Into<String>) -> Problem {
        Problem { file: self.file.to_owned(), key: key.to_owned(), says, mend: mend.into() }
    }

    fn refused(&self, key: &str, says: String, mend: impl Into<String>) -> ModelError {
        ModelError::Refused(vec![self.problem(key, says, mend)])
    }
}

/// An opened session.
#[derive(Debug)]
pub(crate) struct Model {
    session: Session,
    name: String,
    provider: Provider,
    inputs: Vec<Spec>,
    outputs: Vec<Spec>,
}

/// The numbers of one input, in the model's own type.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Feed<'a> {
    U8(&'a [u8]),
    F16(&'a [f16]),
    F32(&'a [f32]),
    I64(&'a [i64]),
}

/// The numbers of one output.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    /// All sides, the batch's first.
    pub(crate) sides: Vec<usize>,
    pub(crate) numbers: Cow<'a, [f32]>,
}

impl Model {
    /// Opens the weights with `threads` threads an operation.
    pub(crate) fn open(runtime: &Runtime, plan: Plan<'_>, threads: usize) -> Result<Self, ModelError> {
        let weights = verified(&plan)?;
        let (session, provider) = provider::commit(runtime, &plan, threads, &weights)?;
        let problems = contradictions(&plan, &session);
        if !problems.is_empty() {
            return Err(ModelError::Refused(problems));
        }
        let Plan { name, inputs, outputs, .. } = plan;
        Ok(Self { session, name: name.to_owned(), provider, inputs, outputs })
    }

    /// Where it runs.
    pub(crate) fn provider(&self) -> Provider {
        self.provider
    }

    /// Runs on `feeds`, one an input of the plan and each of the run's pictures, and gives the outputs in the
    /// plan's order to `read`.
    pub(crate) fn run<T>(
        &mut self,
        extent: Extent,
        feeds: &[Feed<'_>],
        read: impl FnOnce(&[Answer<'_>]) -> Result<T, ModelError>,
    ) -> Result<T, ModelError> {
        let Self { session, name, inputs, outputs, .. } = self;
        let failed = |error: ort::Error| ModelError::Run { model: name.clone(), says: error.to_string() };
        let wrong = |says: String| ModelError::Output { model: name.clone(), says };
        let mut values: Vec<(&str, SessionInputValue<'_>)> = Vec::with_capacity(feeds.len());
        for (spec, feed) in inputs.iter().zip(feeds) {
            values.push((&spec.name, feed.value(&spec.sides, extent).map_err(failed)?));
        }
        let given = session.run(values).map_err(failed)?;
        let mut answers = Vec::with_capacity(outputs.len());
        for spec in outputs.iter() {
            let output = given
                .get(&spec.name)
                .ok_or_else(|| wrong(format!("its output \"{}\" is missing", spec.name)))?;
            let answer = answer(output).map_err(failed)?;
            let fits =
                |(side, wanted): (&usize, &Side)| wanted.of(extent).is_none_or(|wanted| *side == wanted);
            let rank_fits = answer.sides.len() == spec.sides.len();
            if !rank_fits || !answer.sides.iter().zip(&spec.sides).all(fits) {
                let wanted = shown(&spec.sides, |side| side.of(extent));
                return Err(wrong(format!(
                    "its output \"{}\" is {:?}, the manifest makes it {wanted}",
                    spec.name, answer.sides
                )));
            }
            answers.push(answer);
        }
        read(&answers)
    }
}

impl<'a> Feed<'a> {
    fn value(self, sides: &[Side], extent: Extent) -> Result<SessionInputValue<'a>, ort::Error> {
        let shape: Vec<usize> = sides.iter().map(|side| side.of(extent).unwrap_or(extent.batch)).collect();
        Ok(match self {
            Self::U8(numbers) => TensorRef::from_array_view((shape, numbers))?.into(),
            Self::F16(numbers) => TensorRef::from_array_view((shape, numbers))?.into(),
            Self::F32(numbers) => TensorRef::from_array_view((shape, numbers))?.into(),
            Self::I64(numbers) => TensorRef::from_array_view((shape, numbers))?.into(),
        })
    }
}

/// An output as f32, borrowed where it is f32 already. Labels and counts are small numbers: f32 holds them.
fn answer(output: &DynValue) -> Result<Answer<'_>, ort::Error> {
    let kind = match output.dtype() {
        ValueType::Tensor { ty, .. } => *ty,
        _ => TensorElementType::Float32,
    };
    let (shape, numbers) = match kind {
        TensorElementType::Float16 => {
            let (shape, numbers) = output.try_extract_tensor::<f16>()?;
            (shape, Cow::Owned(numbers.to_f32_vec()))
        }
        TensorElementType::Int64 => {
            let (shape, numbers) = output.try_extract_tensor::<i64>()?;
            (shape, numbers.iter().map(|&number| number as f32).collect())
        }
        TensorElementType::Int32 => {
            let (shape, numbers) = output.try_extract_tensor::<i32>()?;
            (shape, numbers.iter().map(|&number| number as f32).collect())
        }
        _ => {
            let (shape, numbers) = output.try_extract_tensor::<f32>()?;
            (shape, Cow::Borrowed(numbers))
        }
    };
    let sides = shape.iter().map(|&side| usize::try_from(side).unwrap_or(0)).collect();
    Ok(Answer { sides, numbers })
}

/// The weights' bytes, known to have the manifest's SHA-256.
fn verified(plan: &Plan<'_>) -> Result<Vec<u8>, ModelError> {
    let weights = std::fs::read(plan.weights).map_err(|error| {
        let says = format!("{} cannot be read: {error}", plan.weights.display());
        plan.refused("weights", says, "put the file there")
    })?;
    let sha256: String = Sha256::digest(&weights).iter().map(|byte| format!("{byte:02x}")).collect();
    if sha256 != plan.sha256 {
        let says = format!("{} has {sha256}", plan.weights.display());
        let mend = "get the file that the manifest means, or write this sum if it is the right one";
        return Err(plan.refused("sha256", says, mend));
    }
    Ok(weights)
}

/// What the graph's own description says against the plan.
fn contradictions(plan: &Plan<'_>, session: &Session) -> Vec<Problem> {
    let mut problems = missing(plan, "input", &plan.inputs, session.inputs());
    problems.extend(missing(plan, "output", &plan.outputs, session.outputs()));
    let foreign = |outlets: &[Outlet], specs: &[Spec], more: &[String]| {
        let known = |name: &str| specs.iter().any(|spec| spec.name == name) || more.iter().any(|m| m == name);
        let foreign = outlets.iter().map(Outlet::name).filter(|name| !known(name));
        foreign.map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
    };
    // Where a name is wrong, the model's own is foreign too: that is told already.
    if problems.is_empty() {
        let inputs = foreign(session.inputs(), &plan.inputs, &[]);
        if !inputs.is_empty() {
            let says = format!("the model has {} inputs, also {inputs}", session.inputs().len());
            let mend = "name the one of sizes as input.sizes, or export the model with its picture alone";
            problems.push(plan.problem("input", says, mend));
        }
        let outputs = foreign(session.outputs(), &plan.outputs, plan.unread);
        if !outputs.is_empty() {
            let says = format!("the model has {} outputs, also {outputs}", session.outputs().len());
            let mend = "name it where the family reads it, or write it into output.unread";
            problems.push(plan.problem("output", says, mend));
        }
    }
    let outlet = |outlets: &'_ [Outlet], spec: &Spec| outlets.iter().position(|at| at.name() == spec.name);
    for spec in &plan.inputs {
        let input = outlet(session.inputs(), spec).map(|at| &session.inputs()[at]);
        let differs = |input| {
            batch_differs(plan, spec, input)
                .or(trim_differs(plan, spec, input))
                .or(differs(plan, spec, input))
        };
        problems.extend(input.and_then(differs));
    }
    // Every output would say the same again.
    if problems.iter().any(|problem| problem.key == "batch") {
        return problems;
    }
    for spec in &plan.outputs {
        let output = outlet(session.outputs(), spec).map(|at| &session.outputs()[at]);
        problems.extend(output.and_then(|output| differs(plan, spec, output)));
    }
    problems
}

/// Inputs or outputs of the plan that the model does not have.
fn missing(plan: &Plan<'_>, what: &str, specs: &[Spec], outlets: &[Outlet]) -> Vec<Problem> {
    let has = outlets.iter().map(|outlet| format!("\"{}\"", outlet.name())).collect::<Vec<_>>().join(", ");
    let gone = specs.iter().filter(|spec| !outlets.iter().any(|outlet| outlet.name() == spec.name));
    let problem = |spec: &Spec| {
        let says = format!(
            "the model has {} {what}{} ({has}), none \"{}\"; the manifest reads {}",
            outlets.len(),
            if outlets.len() == 1 { "" } else { "s" },
            spec.name,
            specs.len()
        );
        plan.problem(spec.keys[0], says, "write one of these, or the family that the model is of")
    };
    gone.map(problem).collect()
}

/// An input's first dimension must be free exactly where the manifest says so.
fn batch_differs(plan: &Plan<'_>, spec: &Spec, input: &Outlet) -> Option<Problem> {
    let ValueType::Tensor { shape, .. } = input.dtype() else { return None };
    let free = *shape.first()? == -1;
    if shape.len() != spec.sides.len() || free == (plan.batch == Batch::Dynamic) {
        return None;
    }
    let (kind, mend) = if free {
        ("free", "write batch = \"dynamic\"")
    } else {
        ("fixed", "write batch = \"static\", or export it with a free batch")
    };
    let says = format!("\"{}\" is {shape}, its first dimension {kind}", spec.name);
    Some(plan.problem("batch", says, mend))
}

/// Height and width must be free where the manifest has padding trimmed.
fn trim_differs(plan: &Plan<'_>, spec: &Spec, input: &Outlet) -> Option<Problem> {
    let ValueType::Tensor { shape, .. } = input.dtype() else { return None };
    let fixed =
        |(declared, side): (&i64, &Side)| matches!(side, Side::Width | Side::Height) && *declared != -1;
    if shape.len() != spec.sides.len() || !shape.iter().zip(&spec.sides).any(fixed) {
        return None;
    }
    let says = format!("\"{}\" is {shape}, its height and width fixed", spec.name);
    Some(plan.problem("input.trim", says, "take it out, or export the model with free height and width"))
}

/// Compares a declared tensor with what is wanted. A free dimension passes: the first run shows it.
fn differs(plan: &Plan<'_>, spec: &Spec, outlet: &Outlet) -> Option<Problem> {
    let [name_key, kind_key, shape_key] = spec.keys;
    let name = &spec.name;
    let ValueType::Tensor { ty, shape, .. } = outlet.dtype() else {
        let says = format!("\"{name}\" is no tensor");
        return Some(plan.problem(name_key, says, "export the model with plain tensors"));
    };
    if !spec.kinds.contains(ty) {
        let wanted = spec.kinds.iter().map(|kind| word(*kind)).collect::<Vec<_>>().join(" or ");
        let says = format!("\"{name}\" is of {}, not {wanted}", word(*ty));
        let mend = "write the model's own type if it is one that can be written, or export the model with it";
        return Some(plan.problem(kind_key, says, mend));
    }
    let one = (plan.batch == Batch::Static).then_some(1);
    let fits = |(declared, wanted): (&i64, &Side)| match wanted {
        _ if *declared == -1 => true,
        Side::Batch => one == Some(*declared),
        Side::Is(wanted) => i64::try_from(*wanted) == Ok(*declared),
        Side::Width | Side::Height | Side::Cells(_) | Side::Free => true,
    };
    // An output may come without any shape.
    if (shape.len() == spec.sides.len() && shape.iter().zip(&spec.sides).all(fits)) || shape.is_empty() {
        return None;
    }
    let wanted = shown(&spec.sides, |side| match side {
        Side::Batch => one.map(|_| 1),
        Side::Is(side) => Some(*side),
        _ => None,
    });
    let says = format!("\"{name}\" is {shape}, the manifest makes it {wanted}");
    Some(plan.problem(shape_key, says, "write the model's own size, layout, strides and labels"))
}

/// A shape as messages have it: `[n, 3, 416, 416]`.
fn shown(sides: &[Side], known: impl Fn(&Side) -> Option<usize>) -> String {
    let side = |side: &Side| match (known(side), side) {
        (Some(side), _) => side.to_string(),
        (None, Side::Batch) => "n".to_owned(),
        (None, _) => "any".to_owned(),
    };
    format!("[{}]", sides.iter().map(side).collect::<Vec<_>>().join(", "))
}

/// A type in the words of a manifest.
fn word(kind: TensorElementType) -> String {
    match kind {
        TensorElementType::Float32 => "f32".to_owned(),
        TensorElementType::Float16 => "f16".to_owned(),
        TensorElementType::Uint8 => "u8".to_owned(),
        TensorElementType::Int8 => "i8".to_owned(),
        TensorElementType::Int32 => "i32".to_owned(),
        TensorElementType::Int64 => "i64".to_owned(),
        other => other.to_string(),
    }
}
