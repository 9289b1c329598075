//! The model's input for a batch of pictures, in the model's own type, reused from run to run.

use calib::picture::YuvView;
use half::f16;
use ort::value::TensorElementType;
use rayon::prelude::*;

use crate::detector::BATCH_MAX;
use crate::error::ModelError;
use crate::letterbox::{Fit, Letterbox, PictureFault, Value};
use crate::manifest::{Batch, Dtype, Input, Layout};
use crate::session::{Feed, Side, Spec};

/// Room for several pictures, `[places, 3, H, W]` or `[places, H, W, 3]`.
#[derive(Debug)]
pub(crate) struct Tensor {
    /// Numbers of one picture.
    plane: usize,
    numbers: Numbers,
    /// Width and height of the input a place, for a model that asks for them.
    sizes: Vec<i64>,
    /// One a place in the batch.
    letterboxes: Vec<Letterbox>,
}

#[derive(Debug)]
enum Numbers {
    U8(Vec<u8>),
    F16(Vec<f16>),
    F32(Vec<f32>),
}

impl Tensor {
    /// For one picture, or [`BATCH_MAX`] where the batch is free.
    pub(crate) fn new(input: &Input, batch: Batch) -> Self {
        let places = match batch {
            Batch::Static => 1,
            Batch::Dynamic => BATCH_MAX,
        };
        let plane = 3 * input.width * input.height;
        let numbers = match input.dtype {
            Dtype::U8 => Numbers::U8(vec![0; places * plane]),
            Dtype::F16 => Numbers::F16(vec![f16::ZERO; places * plane]),
            Dtype::F32 => Numbers::F32(vec![0.0; places * plane]),
        };
        let size = [input.width as i64, input.height as i64];
        let sizes = input.sizes.iter().flat_map(|_| size.repeat(places)).collect();
        Self { plane, numbers, sizes, letterboxes: (0..places).map(|_| Letterbox::new(input)).collect() }
    }

    /// Most pictures of one run.
    pub(crate) fn places(&self) -> usize {
        self.letterboxes.len()
    }

    /// Letterboxes a batch, its pictures in parallel. `first` is the place of the batch's first picture among
    /// all that the caller gave.
    pub(crate) fn write(&mut self, batch: &[YuvView<'_>], first: usize) -> Result<Vec<Fit>, ModelError> {
        let Self { plane, numbers, letterboxes, .. } = self;
        match numbers {
            Numbers::U8(numbers) => write(numbers, *plane, letterboxes, batch, first),
            Numbers::F16(numbers) => write(numbers, *plane, letterboxes, batch, first),
            Numbers::F32(numbers) => write(numbers, *plane, letterboxes, batch, first),
        }
    }

    /// What the first `batch` places hold, one feed an input.
    pub(crate) fn feeds(&self, batch: usize) -> Vec<Feed<'_>> {
        let to = batch * self.plane;
        let pictures = match &self.numbers {
            Numbers::U8(numbers) => Feed::U8(&numbers[..to]),
            Numbers::F16(numbers) => Feed::F16(&numbers[..to]),
            Numbers::F32(numbers) => Feed::F32(&numbers[..to]),
        };
        let sizes = (!self.sizes.is_empty()).then(|| Feed::I64(&self.sizes[..2 * batch]));
        std::iter::once(pictures).chain(sizes).collect()
    }
}

/// The inputs that a model of this manifest has.
pub(crate) fn specs(input: &Input) -> Vec<Spec> {
    let sides = match input.layout {
        Layout::Nchw => vec![Side::Batch, Side::Is(3), Side::Is(input.height), Side::Is(input.width)],
        Layout::Nhwc => vec![Side::Batch, Side::Is(input.height), Side::Is(input.width), Side::Is(3)],
    };
    let kinds: &[TensorElementType] = match input.dtype {
        Dtype::U8 => &[TensorElementType::Uint8],
        Dtype::F16 => &[TensorElementType::Float16],
        Dtype::F32 => &[TensorElementType::Float32],
    };
    let picture =
        Spec { keys: ["input.name", "input.dtype", "input.size"], name: input.name.clone(), kinds, sides };
    let sizes = |name: &String| Spec {
        keys: ["input.sizes"; 3],
        name: name.clone(),
        kinds: &[TensorElementType::Int64],
        sides: vec![Side::Batch, Side::Is(2)],
    };
    std::iter::once(picture).chain(input.sizes.as_ref().map(sizes)).collect()
}

fn write<V: Value>(
    numbers: &mut [V],
    plane: usize,
    letterboxes: &mut [Letterbox],
    batch: &[YuvView<'_>],
    first: usize,
) -> Result<Vec<Fit>, ModelError> {
    let one = |((letterbox, numbers), (at, picture)): ((&mut Letterbox, &mut [V]), (usize, &YuvView<'_>))| {
        letterbox.write(picture, numbers).map_err(|fault: PictureFault| ModelError::Picture {
            index: first + at,
            width: picture.width,
            height: picture.height,
            fault,
        })
    };
    if let [picture] = batch {
        // No pool for one picture: the caller's thread does it.
        let fit = one(((&mut letterboxes[0], &mut numbers[..plane]), (0, picture)))?;
        return Ok(vec![fit]);
    }
    let places = letterboxes.par_iter_mut().zip(numbers.par_chunks_exact_mut(plane));
    places.zip(batch.par_iter().enumerate()).map(one).collect()
}
