//! Where a model runs: the first of the manifest's providers that is there.
//!
//! In come a plan and the weights' bytes, out comes a session and who runs it, or for each provider why not.
//! A provider that the manifest does not name is never used in place of one that is absent.

use ort::ep::{self, ArbitrarilyConfigurableExecutionProvider, ExecutionProvider, ExecutionProviderDispatch};
use ort::session::Session;
use ort::session::builder::{AutoDevicePolicy, SessionBuilder};

use crate::error::{ModelError, Problem};
use crate::manifest::Provider;
use crate::runtime::Runtime;
use crate::session::Plan;

/// Opens the weights on the first provider that takes them.
pub(crate) fn commit(
    runtime: &Runtime,
    plan: &Plan<'_>,
    threads: usize,
    weights: &[u8],
) -> Result<(Session, Provider), ModelError> {
    let mut absent = Vec::new();
    for &provider in plan.providers {
        match commit_on(runtime, provider, threads, weights) {
            Ok(session) => {
                if !absent.is_empty() {
                    tracing::warn!(model = plan.name, %provider, "a provider that comes first is absent");
                }
                return Ok((session, provider));
            }
            Err(says) if provider == Provider::Cpu => return Err(unloadable(runtime, plan, &says)),
            Err(says) => absent.push(missing(runtime, plan, provider, &says)),
        }
    }
    // What the CPU cannot load either is no fault of the accelerator.
    if let Err(says) = commit_on(runtime, Provider::Cpu, threads, weights) {
        return Err(unloadable(runtime, plan, &says));
    }
    Err(ModelError::Refused(absent))
}

fn unloadable(runtime: &Runtime, plan: &Plan<'_>, says: &str) -> ModelError {
    let says = format!("ONNX Runtime {} cannot load them: {says}", runtime.version());
    let mend =
        "export the model again (whole, with an opset that this version knows), or load a newer library";
    ModelError::Refused(vec![plan.problem("weights", says, mend)])
}

fn missing(runtime: &Runtime, plan: &Plan<'_>, provider: Provider, says: &str) -> Problem {
    let says = format!("\"{provider}\" cannot be had from {}: {says}", runtime.path().display());
    let mend = match provider {
        Provider::Cpu => String::new(),
        Provider::Cuda | Provider::TensorRt => format!(
            "set {} to the library of the wheel onnxruntime-gpu, with NVIDIA's driver and CUDA on this machine; \
             or write provider = \"cpu\", or [\"{provider}\", \"cpu\"] to run without",
            crate::runtime::PATH_VARIABLE
        ),
        Provider::OpenVino | Provider::OpenVinoBf16 => format!(
            "set {} to the library of the wheel onnxruntime-openvino, with OpenVINO beside it; \
             or write provider = \"cpu\", or [\"{provider}\", \"cpu\"] to run without",
            crate::runtime::PATH_VARIABLE
        ),
    };
    plan.problem("provider", says, mend)
}

/// A session on one provider; otherwise the library's reason.
fn commit_on(
    runtime: &Runtime,
    provider: Provider,
    threads: usize,
    weights: &[u8],
) -> Result<Session, String> {
    let builder = Session::builder(runtime.environment()).map_err(text)?;
    // `ort` lets the library pick an NPU where it knows one; what runs where is the manifest's to say.
    let builder = builder.with_auto_device(AutoDevicePolicy::PreferCPU).map_err(text)?;
    // Idle threads sleep: looks come at a cadence, and spinning would take the cores from the decoders.
    let builder = builder.with_intra_op_spinning(false).map_err(text)?;
    let builder = builder.with_intra_threads(threads.max(1)).map_err(text)?;
    let mut builder = match provider {
        Provider::Cpu => builder,
        Provider::Cuda => with::<ep::CUDA>(builder, ep::CUDA::default().build())?,
        Provider::TensorRt => with::<ep::TensorRT>(builder, ep::TensorRT::default().build())?,
        Provider::OpenVino => with::<ep::OpenVINO>(builder, openvino(threads).build())?,
        Provider::OpenVinoBf16 => {
            let halved = openvino(threads).with_arbitrary_config("load_config", OPENVINO_BF16);
            with::<ep::OpenVINO>(builder, halved.build())?
        }
    };
    builder.commit_from_memory(weights).map_err(text)
}

/// What OpenVINO is told so that it computes in bfloat16.
const OPENVINO_BF16: &str = r#"{"CPU":{"INFERENCE_PRECISION_HINT":"bf16"}}"#;

/// OpenVINO would take eight threads whatever the session was given.
fn openvino(threads: usize) -> ep::OpenVINO {
    ep::OpenVINO::default().with_device_type("CPU").with_num_threads(threads.max(1))
}

/// Registers a provider that the library must have.
fn with<E: ExecutionProvider>(
    builder: SessionBuilder,
    provider: ExecutionProviderDispatch,
) -> Result<SessionBuilder, String> {
    if !E::is_available().map_err(text)? {
        return Err(format!("it was built without {}", E::NAME));
    }
    builder.with_execution_providers([provider.error_on_failure()]).map_err(text)
}

fn text<R>(error: ort::Error<R>) -> String {
    error.to_string()
}
